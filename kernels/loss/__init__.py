"""Losses and their gradients by the outputs."""

from .function import loss
from .reference import LOSSES, TERMS, terms

__all__ = ["LOSSES", "TERMS", "loss", "terms"]
