"""How high each place of a diagram's columns stands: so that edges run straight, where there is room."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from .columns import Columns, Place

ROUNDS = 12
CLOSER = 0.4  # the gap between edges that pass a column, of that between boxes
STRAIGHT = 6.0  # how much more edges over several columns mind a bend


def heights(
    columns: Columns, size: Mapping[Place, float], offsets: Mapping[tuple[Place, Place], float], gap: float
) -> dict[Place, float]:
    """place -> the height of its middle, of places with these sizes, a gap apart; passing edges are closer.

    offsets: (start, end) -> how far below the middle of its end a link arrives.

    >>> columns = Columns((("a", "b"), ("c",)), (("a", "c"), ("b", "c")))
    >>> heights(columns, {"a": 10, "b": 10, "c": 10}, {}, gap=10)
    {'a': -10.0, 'b': 10.0, 'c': 0.0}
    """
    before, after = columns.by_end(), columns.by_start()
    at: dict[Place, float] = {}
    steps = [[0.0, *_steps(column, size, gap)] for column in columns.columns]
    for column, apart in zip(columns.columns, steps, strict=True):
        middle = sum(apart) / 2
        at |= dict(zip(column, (height - middle for height in _sums(apart)), strict=True))

    def wanted(place: Place, back: bool, ahead: bool) -> float:
        starts, ends = before.get(place, ()) if back else (), after.get(place, ()) if ahead else ()
        heights = [at[start] - offsets.get((start, place), 0.0) for start in starts]
        heights += [at[end] + offsets.get((place, end), 0.0) for end in ends]
        return sum(heights) / len(heights) if heights else at[place]

    order = range(len(columns.columns))
    for turn in range(ROUNDS):
        is_last = turn == ROUNDS - 1
        for number in order if turn % 2 == 0 else reversed(order):
            column = columns.columns[number]
            heights = [wanted(place, turn % 2 == 0 or is_last, turn % 2 == 1 or is_last) for place in column]
            weights = [STRAIGHT if isinstance(place, tuple) else 1.0 for place in column]
            at |= dict(zip(column, spread(heights, weights, steps[number]), strict=True))
    return _closed(at, columns, size, gap)


def spread(wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The heights nearest to those that are wanted, by weighted squares, each so far below the one before.

    apart: of each from the one before, 0 of the first. It is an isotonic regression: heights that are in each
    other's way move as one, to their mean.

    >>> spread([0.0, 0.0, 9.0], [1.0, 1.0, 1.0], [0.0, 4.0, 4.0])
    [-2.0, 2.0, 9.0]
    """
    blocks: list[tuple[float, float, int]] = []  # weight, mean and count of what moves as one
    sums = _sums(apart)
    for height, weight, shift in zip(wanted, weights, sums, strict=True):
        own, mean, count = weight, height - shift, 1
        while blocks and blocks[-1][1] >= mean:
            other, above, others = blocks.pop()
            mean = (own * mean + other * above) / (own + other)
            own, count = own + other, count + others
        blocks.append((own, mean, count))
    means = [mean for _, mean, count in blocks for _ in range(count)]
    return [mean + shift for mean, shift in zip(means, sums, strict=True)]


def _closed(
    at: Mapping[Place, float], columns: Columns, size: Mapping[Place, float], gap: float
) -> dict[Place, float]:
    """The heights without room that nothing takes, neither a place nor a link, beyond a gap."""
    taken = [(height - size[place] / 2, height + size[place] / 2) for place, height in at.items()]
    taken += [(min(at[start], at[end]), max(at[start], at[end])) for start, end in columns.links]
    bottom, shift = min((top for top, _ in taken), default=0.0), 0.0
    shifts: list[tuple[float, float]] = []  # from where on downwards, and how far up
    for top, end in sorted(taken):
        if top > bottom + gap:
            shift += top - bottom - gap
        shifts.append((top, shift))
        bottom = max(bottom, end)
    tops = [top for top, _ in shifts]
    return {
        place: height - shifts[bisect_right(tops, height - size[place] / 2) - 1][1]
        for place, height in at.items()
    }


def _steps(column: Sequence[Place], size: Mapping[Place, float], gap: float) -> Iterator[float]:
    """How far the middle of each but the first is below that of the one before."""
    for above, below in pairwise(column):
        both_pass = isinstance(above, tuple) and isinstance(below, tuple)
        yield (size[above] + size[below]) / 2 + gap * (CLOSER if both_pass else 1.0)


def _sums(steps: Sequence[float]) -> list[float]:
    total, sums = 0.0, []
    for step in steps:
        total += step
        sums.append(total)
    return sums
