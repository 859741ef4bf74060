"""What stands between the layers of an MLP, and its backward pass."""

from ..equations.activations import ACTIVATIONS, Activation, activation_of
from .function import activation

__all__ = ["ACTIVATIONS", "Activation", "activation", "activation_of"]
