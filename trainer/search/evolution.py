"""search.sampler=cmaes: the covariance matrix adaptation evolution strategy, a round being a generation."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from cmaes import CMA

from .space import Interval, Point

SIGMA = 1 / 6  # of a unit interval: the search begins in the middle, three sigma from both ends
SMALLEST = 4  # runs of a generation; fewer have no covariance

Generation = Sequence[tuple[Point, float | None]]  # each point with its cost; None: it has none


def next_generation(
    space: Mapping[str, Interval], seed: int, runs: int, before: Sequence[Generation]
) -> list[Point]:
    """The points of the `runs` runs that follow the generations `before`.

    They are a function of these and of (seed, the generation's number). Points without a cost count as the
    worst of their generation.
    Source: N. Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772.

    >>> space = {"optimizer.lr": Interval(0.0, 1.0), "optimizer.beta1": Interval(0.8, 0.9)}
    >>> first = next_generation(space, seed=0, runs=4, before=[])
    >>> len(first), first == next_generation(space, seed=0, runs=4, before=[])
    (4, True)
    """
    bounds = np.tile([0.0, 1.0], (len(space), 1))
    strategy = CMA(np.full(len(space), 0.5), SIGMA, bounds, population_size=runs)
    for generation in before:
        if any(value is not None for _, value in generation):
            strategy.tell([(_shares(space, point), _worst(value)) for point, value in generation])
    (own,) = np.random.SeedSequence([seed, len(before)]).generate_state(1).tolist()
    strategy.reseed_rng(own)
    return [_point(space, strategy.ask()) for _ in range(runs)]


def _worst(value: float | None) -> float:
    return math.inf if value is None else value


def _shares(space: Mapping[str, Interval], point: Point) -> np.ndarray:
    return np.array([values.share(point[field]) for field, values in space.items()])


def _point(space: Mapping[str, Interval], shares: np.ndarray) -> Point:
    return {field: space[field].at(share) for field, share in zip(space, shares.tolist(), strict=True)}
