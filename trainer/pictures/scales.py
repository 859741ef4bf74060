"""Axes that fit their values: linear, logarithmic, or of names in the order given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np

from ..folder.digits import number

MOST_NAMES, MOST_TICKS = 12, 8  # names on an axis; values of numbers that each have a tick
LEVEL, LONG, LEAST = 30, 16, 6  # characters: of names side by side, of one name, that are worth cutting
CLOSE = 0.02  # of an axis: numbers that are no farther apart can't be told apart
APART = 0.08  # of an axis: the least distance of two ticks at values
BELOW = 0.7  # decades that 0 stands below the least number above it
ELLIPSIS, MARKS = "…", "/_-. "
WORD = 12  # characters of a line
Values = Sequence[Any]


def is_log(values: Values) -> bool:
    """Whether an axis of these values is logarithmic.

    It is where all are numbers above 0, the greatest is over ten times the least, and the middle one is
    nearer to the geometric mean of these two than to their arithmetic mean.

    >>> is_log([0.001, 0.01, 0.1]), is_log([1, 2, 3])
    (True, False)
    """
    if not all(is_number(value) and value > 0 for value in values):
        return False
    low, middle, high = min(values), sorted(values)[len(values) // 2], max(values)
    return high > 10 * low and middle - math.sqrt(low) * math.sqrt(high) < (low / 2 + high / 2) - middle


def is_wide(losses: Values | np.ndarray) -> bool:
    """Whether losses are above 0 and differ by over 100 times: a plain axis would not tell small ones apart.

    >>> is_wide([0.01, 5.0]), is_wide([1.0, 5.0])
    (True, False)
    """
    return bool(0 < 100 * np.min(losses) < np.max(losses))


def is_number(value: Any) -> bool:
    """Whether a value of a field is a finite number.

    >>> is_number(3), is_number(True), is_number("3")
    (True, False, False)
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Scale:
    """Where values stand on an axis: numbers [R] `at` themselves, others `at` the places of their `names`.

    The axis is "linear", "log", or "symlog", which is logarithmic with a place for 0.
    """

    at: np.ndarray
    names: tuple[str, ...] = ()
    kind: str = "linear"

    @classmethod
    def of(cls, values: Values, runs: Sequence[int] | None = None) -> "Scale":
        """The scale of the values of these `runs`, whose order is that of the sweep.

        Where not all are numbers, numbers come first, then the others in the order of the runs, null last.
        A few numbers that no axis could tell apart stand side by side as well.

        >>> Scale.of([0, 1e-4, 1e-2, 1.0]).kind, Scale.of(["sgd", "adam", None], [1, 0, 2]).names
        ('symlog', ('adam', 'sgd', 'null'))
        """
        if all(map(is_number, values)) and not _is_close(values):
            return cls(np.array(values, float), kind=_kind(values))
        runs = range(len(values)) if runs is None else runs
        in_order = sorted(zip(runs, values, strict=True), key=itemgetter(0))
        by_run = dict.fromkeys(value for _, value in in_order)
        order = sorted(by_run, key=lambda v: (0, v) if is_number(v) else (2 if v is None else 1, 0.0))
        place = {value: place for place, value in enumerate(order)}
        names = tuple(map(_name, order))
        return cls(np.array([place[value] for value in values], float), names)

    @cached_property
    def levels(self) -> np.ndarray:
        """The places that occur, upwards."""
        return np.unique(self.at)

    @cached_property
    def least(self) -> float:
        """The least number above 0, of a symlog axis."""
        return float(self.at[self.at > 0].min())

    def even(self, at: np.ndarray) -> np.ndarray:
        """Places as they look on the axis, which is then a linear one.

        >>> Scale.of([0, 1e-4, 1e-2, 1.0]).even(np.array([0, 1e-4, 1e-2])).round(6).tolist()
        [0.0, 0.7, 2.7]
        """
        if self.kind == "log":
            return np.log10(at)
        if self.kind == "symlog":
            decades = BELOW + np.log10(np.maximum(at, self.least) / self.least)
            return np.where(at < self.least, BELOW * at / self.least, decades)
        return np.asarray(at, float)

    @property
    def shares(self) -> np.ndarray:
        """0 for the first place of the axis, 1 for its last."""
        even = self.even(self.at)
        return (even - even.min()) / ((even.max() - even.min()) or 1.0)

    @property
    def ends(self) -> tuple[str, str]:
        """What stands at the foot and at the head of the axis."""
        if self.names:
            short = shortened(self.names)
            return short[0], short[-1]
        return brief(self.at.min()), brief(self.at.max())

    @cached_property
    def ticks(self) -> tuple[np.ndarray, list[str]] | None:
        """Even places and texts of the ticks, of names as many as can be read; None where any will do."""
        if self.names:
            every = -(-len(self.names) // MOST_NAMES)
            return np.arange(0, len(self.names), every), shortened(self.names)[::every]
        even = self.even(self.levels)
        if len(even) <= MOST_TICKS and np.diff(even).min(initial=math.inf) > APART * (even[-1] - even[0]):
            return even, [brief(value) for value in self.levels]
        return None if self.kind == "linear" else self._decades()

    def _decades(self) -> tuple[np.ndarray, list[str]]:
        """Ticks at powers of ten, and at 0."""
        powers, texts = decades(*np.log10(self.levels[self.levels > 0][[0, -1]]))
        if self.kind == "symlog":
            return np.array([0.0, *self.even(10**powers)]), ["0", *texts]
        return powers, texts


def decades(low: float, high: float) -> tuple[np.ndarray, list[str]]:
    """The ticks of a logarithmic axis from 10^low to 10^high: their logarithms, and their texts.

    >>> decades(-3.0, 0.0)[1], decades(-0.5, 0.6)[1]
    (['$10^{-3}$', '$10^{-2}$', '$10^{-1}$', '$10^{0}$'], ['0.5', '1', '2'])
    """
    every = max(1, round((high - low) / MOST_TICKS))
    powers = np.arange(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1, every)
    if len(powers) > 2:
        return powers.astype(float), [f"$10^{{{power}}}$" for power in powers]
    numbers = [m * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    shown = [value for value in numbers if low - 1e-9 <= math.log10(value) <= high + 1e-9]
    return np.log10(shown), [brief(value) for value in shown]


def brief(value: float) -> str:
    """A number of three digits, whole ones below a million as such.

    >>> brief(0.00012011), brief(1000.0), brief(1e9)
    ('0.00012', '1000', '1e+09')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"


def _name(value: Any) -> str:
    return "null" if value is None else brief(value) if is_number(value) else number(value)


def _is_close(values: Values) -> bool:
    """Whether a few numbers, neither even nor logarithmic, would lie on one another."""
    levels = sorted(set(values))
    if _kind(values) != "linear" or not 2 < len(levels) <= MOST_NAMES:
        return False
    least = min(after - before for before, after in pairwise(levels))
    return least < CLOSE * (levels[-1] - levels[0])


def _kind(values: Values) -> str:
    """Of an axis of numbers."""
    if is_log(values):
        return "log"
    above = [value for value in values if value > 0]
    return "symlog" if min(values, default=0) == 0 and above and is_log(above) else "linear"


def shortened(names: Sequence[str]) -> list[str]:
    """Names of up to LONG characters: without the ends that all share, and with their middle left out.

    >>> shortened(["data/plates/left_0001.csv", "data/plates/right_02.csv"])
    ['…left_0001.csv', '…right_02.csv']
    >>> shortened(["adam", "a name that goes on and on"])
    ['adam', 'a name t…n and on']
    """
    if len(names) > 1 and max(map(len, names)) > LONG:
        cut = 1 + max(_shared(names).rfind(mark) for mark in MARKS)
        ending = _shared([name[::-1] for name in names])
        cut_last = 1 + max(ending.rfind(mark) for mark in MARKS)
        if cut >= LEAST:
            names = [ELLIPSIS + name[cut:] for name in names]
        if cut_last >= LEAST:
            names = [name[:-cut_last] + ELLIPSIS for name in names]
    return [_short(name) for name in names]


def _shared(names: Sequence[str]) -> str:
    """The beginning of all names."""
    first, last = min(names), max(names)
    equal = [a == b for a, b in zip(first, last, strict=False)]
    return first[: equal.index(False)] if False in equal else first[: len(equal)]


def _short(name: str) -> str:
    half = LONG // 2
    return name if len(name) <= LONG + 2 else f"{name[:half]}{ELLIPSIS}{name[-half:]}"


def wrapped(field: str) -> str:
    """A field's name in lines that break at its dots, and in long words.

    >>> wrapped("optimizer.weight_decay"), wrapped("schedule.warmup_fraction")
    ('optimizer.\\nweight_decay', 'schedule.\\nwarmup_\\nfraction')
    """
    words = field.replace(".", ".\n").split("\n")
    return "\n".join(word if len(word) <= WORD else word.replace("_", "_\n") for word in words)
