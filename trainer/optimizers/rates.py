"""What the steps of a pack take that depends on the step alone, computed once for runs of one setting."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .base import Hyper, Optimizer
from .schedule import Schedule


class Rates:
    """Learning rates and coefficients of the U different settings; `setting` [R] says which each run has.

    `values` are the hyperparameters of optimizer and schedule by name, [R] each; `steps` [R] how many each
    run is to make. Both are built for the settings as they are for runs.
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
