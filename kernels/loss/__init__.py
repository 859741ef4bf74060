"""Losses and their gradients."""

from kernels.loss.function import loss
from kernels.loss.reference import LOSSES, TERMS, terms

__all__ = ["LOSSES", "TERMS", "loss", "terms"]
