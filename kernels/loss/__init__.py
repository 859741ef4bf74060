"""Losses and their gradients by the outputs."""

from ..equations.losses import NAMES, Loss, loss_of
from .function import loss
from .reference import loss_constants, loss_reference, terms_reference, with_weights

__all__ = [
    "NAMES",
    "Loss",
    "loss",
    "loss_constants",
    "loss_of",
    "loss_reference",
    "terms_reference",
    "with_weights",
]
