"""What stands between the layers of an MLP: activations, each an equation.

`activation` itself is in function.py, so that a config is checked without torch.
"""

from .rows import ACTIVATIONS, Activation, activation_of

__all__ = ["ACTIVATIONS", "Activation", "activation_of"]
