"""Optimizers and schedules: one table of builders each."""

from collections.abc import Callable

from torch import Tensor

from trainer.optimizers.adam import Adam, adamw
from trainer.optimizers.base import Hyper, Optimizer, State
from trainer.optimizers.rates import Rates
from trainer.optimizers.schedule import Schedule, constant, cosine, linear_warmup
from trainer.optimizers.sgd import SGD

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
