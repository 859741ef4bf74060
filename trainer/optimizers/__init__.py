"""The rules by which parameters change, and learning-rate schedules: one table of builders each."""

from collections.abc import Callable

from torch import Tensor

from .adam import Adam, adamw
from .base import Hyper, Optimizer, State
from .rates import Rates
from .schedule import Schedule, constant, cosine, linear_warmup
from .sgd import SGD

OPTIMIZERS: dict[str, Callable[[Hyper, Tensor], Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": adamw,
}
SCHEDULES: dict[str, Callable[[Hyper, Tensor], Schedule]] = {
    "constant": constant,
    "linear_warmup": linear_warmup,
    "cosine": cosine,
}

__all__ = ["OPTIMIZERS", "SCHEDULES", "Hyper", "Optimizer", "Rates", "Schedule", "State"]
