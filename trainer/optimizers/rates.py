"""Learning rates and coefficients of steps, computed once for all runs of the same hyperparameters."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...kernels.equations.rule import Rule
from ...kernels.language.formula import Formula
from ...kernels.update.reference import factors
from .base import Optimizer

Numbers = Mapping[str, Tensor]  # a run's numbers by name, [R] float64 each


class Rates:
    """Learning rates and coefficients of the U different settings; `setting` [R] is each run's.

    A setting is a run's hyperparameters and its number of steps: `numbers` are those of the rule and lr,
    `scheduled` those of the schedule, and `steps` is [R], all on the CPU. `like` are the parameters.
    """

    def __init__(
        self, rule: Rule, schedule: Formula, numbers: Numbers, scheduled: Numbers, steps: Tensor, like: Tensor
    ) -> None:
        rows = torch.stack([steps.double(), *numbers.values(), *scheduled.values()], 1)
        different, setting = rows.unique(dim=0, return_inverse=True)
        first = torch.zeros(len(different), dtype=torch.int64)
        first.scatter_(0, setting, torch.arange(len(rows)))  # any run of each setting
        numbers = {word: value[first] for word, value in numbers.items()}
        self.setting = setting.to(like.device)
        self.lr = numbers["lr"]
        self.optimizer = Optimizer(rule, numbers, like[: len(different)])
        self.schedule = schedule
        self.scheduled = {word: value[first] for word, value in scheduled.items()}
        self.steps = steps[first]

    def __call__(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """lr [S, U] and the update's coefficients [S, K, U] of the steps [S], in float64 on the CPU."""
        lr = self.lr * factors(self.schedule, self.scheduled, step, self.steps)
        return lr, self.optimizer.table(lr, step)
