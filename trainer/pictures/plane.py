"""The plane of two columns of the data: where samples stand on it, and a model's inputs at its places."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ...kernels.common.errors import UserError, nearest
from ..data.features import CATEGORY, ONEHOT, ORDINAL, SECONDS, Feature, shown
from .scales import is_log
from .texts import all_shortened, shortened

MARGIN = 0.06  # beside the samples, of their range
MOST_NAMES, LONGEST = 12, 16  # names of categories on an axis; letters of one
LONGEST_LABEL = 36  # letters of what an axis is called
LONG, BELOW = 16, 13  # letters from which it stands below a power of ten, and by how many points
DAY = 86400.0  # seconds


@dataclass(frozen=True)
class Side:
    """One column as an axis: numbers as they are, dates in days, categories at 0, 1, ..., K - 1.

    `columns` are those of the inputs [N, V] that the column became, `values` [N] are those of all samples.
    """

    feature: Feature
    columns: slice
    inputs: np.ndarray

    @property
    def categories(self) -> Sequence[str]:
        """Of a column of words; none of numbers."""
        if self.feature.kind == CATEGORY:
            return "others", *self.feature.categories
        return self.feature.categories if self.feature.kind in (ONEHOT, ORDINAL) else ()

    @cached_property
    def values(self) -> np.ndarray:
        """Where the samples stand [N]."""
        return self.at(self.inputs)

    @property
    def middle(self) -> np.ndarray:
        """The inputs [K] of the median, or of words of the most frequent one."""
        if not self.categories:
            return np.median(self.inputs[:, self.columns], axis=0)
        counts = np.bincount(self.values.astype(int), minlength=len(self.categories))
        return self.as_inputs(np.array([float(counts.argmax())]))[0]

    @property
    def is_log(self) -> bool:
        """Whether the axis is logarithmic."""
        return not self.categories and len(self.values) > 2 and is_log(self.values.tolist())

    @property
    def ends(self) -> tuple[float, float]:
        """Where the axis begins and ends."""
        if self.categories:
            return -0.5, len(self.categories) - 0.5
        values = np.log(self.values) if self.is_log else self.values
        low, high = float(values.min()), float(values.max())
        margin = MARGIN * (high - low) or 0.5 * abs(high) or 0.5
        ends = np.array([low - margin, high + margin])
        low, high = (np.exp(ends) if self.is_log else ends).tolist()
        return low, high

    def places(self, count: int) -> np.ndarray:
        """So many places over the axis."""
        return (np.geomspace if self.is_log else np.linspace)(*self.ends, count)

    def at(self, inputs: np.ndarray) -> np.ndarray:
        """Where samples of these inputs [N, V] stand [N]."""
        own = inputs[:, self.columns]
        if self.feature.kind == ONEHOT:
            return own.argmax(1).astype(float)
        return own[:, 0] / DAY + self._origin if self._origin is not None else own[:, 0]

    def as_inputs(self, places: np.ndarray) -> np.ndarray:
        """Places [B] -> what the column becomes there [B, K]."""
        if self.categories:
            nearest = places.round().clip(0, len(self.categories) - 1)
            if self.feature.kind == ONEHOT:
                return (nearest[:, None] == np.arange(len(self.categories))).astype(float)
            return nearest[:, None]
        return ((places - self._origin) * DAY if self._origin is not None else places)[:, None]

    def apart(self, places: np.ndarray) -> np.ndarray:
        """Places [N] where samples are drawn: those of a category beside each other."""
        if not self.categories:
            return places
        golden = np.arange(len(places)) * 0.6180339887498949 % 1
        return places + 0.6 * (golden - 0.5)

    def label(self, axis: Any) -> str:
        """Names an axis's categories and dates -> what the axis is called."""
        from matplotlib import dates  # noqa: PLC0415 (an optional dependency, and slow)

        if self.categories:
            every = -(-len(self.categories) // MOST_NAMES)
            places = range(0, len(self.categories), every)
            names = all_shortened(self.categories, LONGEST)
            axis.set_ticks(places, [names[place] for place in places])
        elif self._origin is not None:
            locator = dates.AutoDateLocator(maxticks=6)
            axis.set_major_locator(locator)
            axis.set_major_formatter(dates.ConciseDateFormatter(locator))
        unit = ", in seconds" if self.feature.kind == SECONDS and self._origin is None else ""
        return shortened(self.feature.column, LONGEST_LABEL) + unit

    @property
    def _origin(self) -> float | None:
        """The day that dates are counted from; None where there are none."""
        if self.feature.kind != SECONDS or self.feature.origin is None:
            return None
        since = np.datetime64(self.feature.origin) - np.datetime64("1970-01-01")
        return float(since / np.timedelta64(1, "s")) / DAY


@dataclass(frozen=True)
class Plane:
    """Two columns, across and upwards, with all others of the inputs as they are in `base` [V]."""

    across: Side
    upwards: Side
    base: np.ndarray

    def grid(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`count` places on each side [S], [S], and the inputs [S * S, V] there, row after row."""
        x, y = self.across.places(count), self.upwards.places(count)
        inputs = np.tile(self.base, (count * count, 1))
        inputs[:, self.across.columns] = self.across.as_inputs(np.tile(x, count))
        inputs[:, self.upwards.columns] = self.upwards.as_inputs(np.repeat(y, count))
        return x, y, inputs

    def at(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where samples of these inputs [N, V] are drawn, [N] each."""
        x, y = (side.apart(side.at(inputs)) for side in (self.across, self.upwards))
        return x, y

    def label(self, axes: Any) -> None:
        """Names the axes, and scales them."""
        for side, axis, name in ((self.across, axes.xaxis, "x"), (self.upwards, axes.yaxis, "y")):
            if side.is_log:
                axes.set(**{f"{name}scale": "log"})
            axes.set(**{f"{name}lim": side.ends})
            called = side.label(axis)
            axis.set_label_text(called)
            axis.labelpad = BELOW if name == "x" and len(called) > LONG else axis.labelpad


def plane_of(features: Sequence[Feature], inputs: np.ndarray, columns: Sequence[str] = ()) -> Plane:
    """The plane of two `columns`, the first two where none are named, that inputs [N, V] are made of.

    All others are at their medians, or of words the most frequent one. Raises UserError for other columns.

    >>> features = [Feature("age", "age"), Feature("coat", "coat", ONEHOT, ("red", "white"))]
    >>> plane = plane_of(features, np.array([[1.0, 1.0, 0.0], [3.0, 0.0, 1.0]]))
    >>> plane.across.ends, plane.upwards.values.tolist()
    ((0.88, 3.12), [0.0, 1.0])
    >>> plane.grid(2)[2].round(2).tolist()
    [[0.88, 1.0, 0.0], [3.12, 1.0, 0.0], [0.88, 0.0, 1.0], [3.12, 0.0, 1.0]]
    """
    starts = np.cumsum([0, *(len(feature.names) for feature in features)]).tolist()
    parts = [slice(start, stop) for start, stop in pairwise(starts)]
    sides = [Side(feature, part, inputs) for feature, part in zip(features, parts, strict=True)]
    base = np.concatenate([side.middle for side in sides])
    across, upwards = (
        sides[place] for place in _places(features, columns or [f.column for f in features[:2]])
    )
    return Plane(across, upwards, base)


def _places(features: Sequence[Feature], columns: Sequence[str]) -> list[int]:
    """Which of the features two columns are."""
    known = [feature.column for feature in features]
    if len(columns) != 2 or columns[0] == columns[1]:
        raise UserError(f"a plane has two columns, as in of={','.join(known[:2])}; got {','.join(columns)}")
    for column in columns:
        if column not in known:
            raise UserError(f"there is no column {column}{nearest(column, known)} among {shown(known)}")
    return [known.index(column) for column in columns]
