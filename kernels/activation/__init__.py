"""What stands between the layers of an MLP: activations, each an equation."""

from .rows import ACTIVATIONS, Activation, activation_of

__all__ = ["ACTIVATIONS", "Activation", "activation_of"]
