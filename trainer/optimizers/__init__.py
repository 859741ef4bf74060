"""How the parameters of R runs change: their optimizers, and learning rates over the steps."""

from .base import Optimizer, State
from .rates import Rates

__all__ = ["Optimizer", "Rates", "State"]
