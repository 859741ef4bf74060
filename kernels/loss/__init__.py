"""Losses and their gradients."""

from kernels.loss.function import loss
from kernels.loss.reference import LOSSES, terms

__all__ = ["LOSSES", "loss", "terms"]
