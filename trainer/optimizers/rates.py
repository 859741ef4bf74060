"""Learning rates and coefficients of steps, computed once for all runs of the same hyperparameters."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .base import Hyper, Optimizer
from .schedule import Schedule


class Rates:
    """Learning rates and coefficients of the U different settings; `setting` [R] is each run's.

    A setting is a run's hyperparameters and number of steps: `values` has those of the optimizer and the
    schedule by name, [R] each, and `steps` is [R]. `optimizer` and `schedule` build both, here for settings
    in the place of runs.
    """

    def __init__(
        self,
        values: Mapping[str, Tensor],
        steps: Tensor,
        optimizer: Callable[[Hyper, Tensor], Optimizer],
        schedule: Callable[[Hyper, Tensor], Schedule],
        like: Tensor,
    ) -> None:
        rows = torch.stack([steps.double(), *values.values()], 1)
        different, self.setting = rows.unique(dim=0, return_inverse=True)
        runs = torch.arange(len(rows), device=rows.device)
        first = runs.new_zeros(len(different)).scatter(0, self.setting, runs)  # any run of each setting

        def of_settings(name: str) -> Tensor:
            return values[name][first]

        self.lr = of_settings("lr")
        self.optimizer = optimizer(of_settings, like[first])
        self.schedule = schedule(of_settings, steps[first])

    def __call__(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """lr [S, U] and the update's coefficients [S, K, U] of the steps [S], in float64."""
        lr = self.lr * self.schedule(step)
        return lr, self.optimizer.table(lr, step)
