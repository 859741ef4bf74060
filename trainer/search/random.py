"""search=random: values that are a function of (search.seed, run) alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from .space import Point, Space


class RandomSearch:
    """Points drawn from a space, each run's from a stream of its own.

    >>> from packtrain.trainer.search.space import Choices, Interval
    >>> search = RandomSearch({"optimizer.lr": Interval(0.0, 1.0), "seed": Choices((1, 2))}, seed=0)
    >>> search.ask(first=2, runs=2) == search.ask(first=0, runs=4)[2:]
    True
    """

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def ask(self, first: int, runs: int) -> list[Point]:
        """The points of the runs first .. first + runs - 1."""
        return [self._point(run) for run in range(first, first + runs)]

    def _point(self, run: int) -> Point:
        shares = np.random.default_rng([self.seed, run]).random(len(self.space)).tolist()
        return {
            field: values.at(share) for (field, values), share in zip(self.space.items(), shares, strict=True)
        }

    def tell(self, first: int, values: Sequence[float | None], pruned: Mapping[int, int]) -> None:
        """Learns nothing."""
