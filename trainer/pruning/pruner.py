"""Which runs of a pack are stopped, and at which steps: decisions alone."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..config.schema import Config
from ..engines.base import put
from ..folder.checkpoint import NEVER

LEAST_GAIN = 1e-6  # of a cost, relative: smaller ones may be rounding
MOST_RUNGS = 3  # unless search.min_steps asks for more
# why runs are stopped, in their outcome
WHY = {
    "halving": "it was not among the best 1/{reduction_factor} of the runs there",
    "median": "it had never been better than the median of the runs' means there",
    "patience": "it had not improved for {patience} rungs",
}


class Pruner(ABC):
    """Judges runs at the steps `rungs`, by a cost each, which training makes small.

    A cost that isn't finite is the worst there is, and no other run's standing depends on it. `memory` is
    all that judging changes, live tensors [R, ...] by name.
    """

    def __init__(self, rungs: Sequence[int]) -> None:
        self.rungs = rungs
        self.memory: dict[str, Tensor] = {}

    def next(self, step: int) -> int:
        """The first rung after `step`, NEVER where there is none."""
        place = self.rung(step)
        return self.rungs[place] if place < len(self.rungs) else NEVER

    def rung(self, step: int) -> int:
        """How many rungs there are up to `step`."""
        return bisect_right(self.rungs, step)

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Restores a saved state."""
        put(memory, self.memory)

    @abstractmethod
    def leaving(self, costs: Tensor, training: Tensor) -> Tensor:
        """Which [R] of the runs that train are stopped at a rung, by their costs [R] there."""


class Halving(Pruner):
    """Keeps the best 1/factor of the runs that train at each rung, at least one; of equals the first.

    Successive halving (Jamieson and Talwalkar, AISTATS 2016) on the rungs of ASHA (Li et al., "A System for
    Massively Parallel Hyperparameter Tuning", MLSys 2020). ASHA promotes runs before a rung is complete, as
    its workers would wait for the slowest one, and so promotes some that are not among the best; the runs
    of a pack arrive together.
    """

    def __init__(self, rungs: Sequence[int], factor: int) -> None:
        super().__init__(rungs)
        self.factor = factor

    def leaving(self, costs: Tensor, training: Tensor) -> Tensor:
        runs = (training & costs.isfinite()).nonzero()[:, 0]
        ranked = runs[costs[runs].argsort(stable=True)]
        return training.index_fill(0, ranked[: max(1, len(runs) // self.factor)], False)


class Median(Pruner):
    """Stops the runs whose least cost so far is above the median of all runs' mean costs so far.

    A run that was stopped counts with the mean that it had, so that half of the pack is not stopped anew at
    each rung. Of an even number of means the lower middle one is the median. The rule of Vizier (Golovin et
    al., KDD 2017), with the runs of the pack in place of those that were completed before.
    """

    def __init__(self, rungs: Sequence[int], like: Tensor) -> None:
        super().__init__(rungs)
        self.memory = {
            "least": torch.full_like(like, torch.inf, dtype=torch.float64),
            "total": torch.zeros_like(like, dtype=torch.float64),
            "count": torch.zeros_like(like, dtype=torch.int64),
        }

    def leaving(self, costs: Tensor, training: Tensor) -> Tensor:
        least, total, count = self.memory.values()
        finite = training & costs.isfinite()
        in_double = costs.double()
        least.copy_(torch.minimum(least, in_double))
        total.add_(in_double.masked_fill(~finite, 0))
        count.add_(finite)
        means = (total / count)[count > 0]
        return training & ~(finite & (least <= means.median())) if len(means) else training


class Patience(Pruner):
    """Stops a run at the `patience`-th rung in a row at which its cost is not below its least before.

    That depends on the run alone, not on its pack.
    """

    def __init__(self, rungs: Sequence[int], patience: int, like: Tensor) -> None:
        super().__init__(rungs)
        self.patience = patience
        self.memory = {
            "least": torch.full_like(like, torch.inf, dtype=torch.float32),
            "waited": torch.zeros_like(like, dtype=torch.int64),
        }

    def leaving(self, costs: Tensor, training: Tensor) -> Tensor:
        least, waited = self.memory.values()
        better = training & (costs + LEAST_GAIN * costs.abs() < least)
        least.copy_(costs.where(better, least))
        waited.add_(training).masked_fill_(better, 0)
        return training & (waited >= self.patience)


def make_pruner(config: Config, steps: Tensor) -> Pruner:
    """The pruner that search.pruner names, for runs of `steps` [R].

    >>> config = Config()
    >>> config.search.pruner = "halving"
    >>> make_pruner(config, torch.full((9,), 90)).rungs
    [10, 30]
    """
    search, last = config.search, int(steps.max())
    if search.pruner == "halving":
        first = search.min_steps or first_rung(last, len(steps), search.reduction_factor)
        return Halving(geometric(first, last, search.reduction_factor), search.reduction_factor)
    every = config.monitor.validate_every
    rungs = range(-(-(search.min_steps or every) // every) * every, last, every)
    return Median(rungs, steps) if search.pruner == "median" else Patience(rungs, search.patience, steps)


def first_rung(last: int, runs: int, factor: int) -> int:
    """The first of as many rungs as leave one of the `runs`, MOST_RUNGS at most, the last at last/factor.

    >>> first_rung(last=2000, runs=81, factor=3)
    75
    """
    count = 1
    while count < MOST_RUNGS and factor ** (count + 1) <= runs:
        count += 1
    return -(-last // factor**count)


def geometric(first: int, last: int, factor: int) -> list[int]:
    """first * factor^k below `last`, k = 0, 1, ...

    >>> geometric(75, 2000, 3)
    [75, 225, 675]
    """
    rungs = []
    while first < last:
        rungs.append(first)
        first *= factor
    return rungs
