"""How columns of a table become a model's inputs: numbers as they are, words and dates as numbers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...kernels.common.errors import UserError
from .cells import is_missing, times, words
from .discretion import quoted, told
from .table import Table

NUMBER, ONEHOT, ORDINAL, SECONDS, CATEGORY = "number", "onehot", "ordinal", "seconds", "category"
ENCODINGS = ("auto", NUMBER, ONEHOT, ORDINAL, SECONDS)
OF_MISSING = "missing"  # the category of missing words, where they are filled in
SHOWN = 8


@dataclass(frozen=True)
class Feature:
    """How one column becomes an input, or (onehot) several. Plain data: a model keeps it for its predictions.

    `name` is the input's name, a variable of equations or the column's own; `column` its column.
    `kind` says what becomes of a cell:

    - number: itself
    - onehot: 1 in the input of its own category and 0 in those of the others, named `name=category`
    - ordinal: the place of its category, from 0
    - category: 1 where it is the one of `categories`, and 0 where it is another
    - seconds: the time since `origin`, in ISO 8601; of durations and times of day, which have none, since 0

    `categories` are those of onehot and ordinal. `fill` is the number (of onehot the category) that takes the
    place of a missing cell; NaN: the training part will say which. None: a missing cell is refused.

    >>> from packtrain.trainer.data.features import Feature
    >>> Feature("colour", "colour", "onehot", ("blue", "red")).names
    ('colour=blue', 'colour=red')
    """

    name: str
    column: str
    kind: str = NUMBER
    categories: tuple[str, ...] = ()
    origin: str | None = None
    fill: float | str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs that it becomes."""
        if self.kind != ONEHOT:
            return (self.name,)
        return tuple(f"{self.name}={category}" for category in self.categories)


def input_names(features: Iterable[Feature]) -> tuple[str, ...]:
    """The names of all inputs, in order.

    >>> from packtrain.trainer.data.features import Feature, input_names
    >>> input_names([Feature("x", "time"), Feature("k", "k", "onehot", ("a", "b"))])
    ('x', 'k=a', 'k=b')
    """
    return tuple(name for feature in features for name in feature.names)


def as_data(features: Iterable[Feature]) -> list[dict[str, Any]]:
    """The features as JSON has them: lists, dicts, text and numbers.

    >>> from packtrain.trainer.data.features import Feature, as_data, from_data
    >>> from_data(as_data([Feature("x", "time", "ordinal", ("a", "b"))]))[0].categories
    ('a', 'b')
    """
    return [{**asdict(feature), "categories": list(feature.categories)} for feature in features]


def from_data(given: Any) -> tuple[Feature, ...]:
    """The features that `as_data` gave. Raises ValueError or TypeError for what is none.

    >>> from packtrain.trainer.data.features import from_data
    >>> from_data([{"name": "x", "column": "time"}])[0].kind
    'number'
    """
    return tuple(_checked(**row) for row in given)


def _checked(
    name: str, column: str, kind: str = NUMBER, categories: Any = (), origin: Any = None, fill: Any = None
) -> Feature:
    categories = tuple(categories)
    if not all(isinstance(text, str) for text in (name, column, origin or "", *categories)):
        raise TypeError(f"a feature's names are text; got {name!r}, {column!r}, {origin!r}, {categories!r}")
    if kind not in ENCODERS or not (fill is None or isinstance(fill, (str, int, float))):
        raise ValueError(f"there is no feature of kind {kind!r} whose missing cells become {fill!r}")
    return Feature(name, column, kind, categories, origin, fill)


def apply(features: Sequence[Feature], table: Table, missing: bool = False) -> np.ndarray:
    """The inputs [N, V] in float64 that the features make of the table's columns.

    Missing cells become their features' `fill`; with `missing` NaN where that is None or not known yet.
    Raises UserError, with row and column, for what can't be one: no number, a category that isn't known, a
    missing cell without `fill`, and for columns that aren't there or are of several lengths.

    >>> import numpy as np
    >>> from packtrain.trainer.data.features import Feature, apply
    >>> from packtrain.trainer.data.table import Table
    >>> table = Table("new.csv", {"t": np.array([1, 2]), "k": np.array(["b", "a"])})
    >>> apply([Feature("t", "t"), Feature("k", "k", "onehot", ("a", "b"))], table).tolist()
    [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    rows = table.rows([feature.column for feature in features])
    if len(features) == 1:
        return _block(features[0], table, missing)
    inputs = np.empty((rows, len(input_names(features))))
    place = 0
    for feature in features:
        width = len(feature.names)
        inputs[:, place : place + width] = _block(feature, table, missing)
        place += width
    return inputs


def _block(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    """The inputs [N, K] of one feature."""
    fills = feature.fill is not None
    block = ENCODERS[feature.kind](feature, table, missing or fills)
    if not fills or feature.kind == ONEHOT:
        return block
    return np.where(np.isnan(block), float(feature.fill or 0), block)


def _numbers(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    return table.numbers(feature.column, feature.name, missing)[:, None]


def _onehot(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    places = _places(feature, table, missing)
    block = (places[:, None] == np.arange(len(feature.categories))).astype(np.float64)
    block[np.isnan(places)] = np.nan
    return block


def _category(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    texts = words(table.column(feature.column, feature.name))
    for row in np.flatnonzero((texts == "") & (not missing))[:1]:
        where = f"{table.where(row)}, column {feature.column}"
        raise UserError(f"{where}: expected {feature.categories[0]} or another word, got nothing{table.mend}")
    return np.where(texts == "", np.nan, texts == feature.categories[0])[:, None]


def _ordinal(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    return _places(feature, table, missing)[:, None]


def _places(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    """The place of each cell's category [N], NaN of a missing one. Raises UserError for an unknown one."""
    column = table.column(feature.column, feature.name)
    texts = words(column)
    if isinstance(feature.fill, str):
        texts[texts == ""] = feature.fill
    known = {category: place for place, category in enumerate(feature.categories)}
    places = np.array([known.get(text, np.nan) for text in texts], dtype=np.float64)
    unknown = np.isnan(places) & ((texts != "") | (not missing))
    for row in np.flatnonzero(unknown)[:1]:
        raise UserError(
            f"{table.where(row)}, column {feature.column}: expected one of "
            f"{told(shown(feature.categories)) or f'{len(feature.categories):,} words'}, got "
            f"{quoted(column[row : row + 1].tolist()[0]) if texts[row] else f'nothing{table.mend}'}"
        )
    return places


def _seconds(feature: Feature, table: Table, missing: bool) -> np.ndarray:
    moments = moments_of(table, feature.column, feature.name)
    if (feature.origin is None) != (moments.dtype.kind == "m"):
        expected = "times of day or durations" if feature.origin is None else "dates"
        raise UserError(f"{table.source}, column {feature.column}: expected {expected}, as in training")
    absent = is_missing(moments)
    for row in np.flatnonzero(absent & (not missing))[:1]:
        where = f"{table.where(row)}, column {feature.column}"
        raise UserError(f"{where}: expected a date, got nothing{table.mend}")
    since = moments if feature.origin is None else moments - np.datetime64(feature.origin)
    return (since / np.timedelta64(1, "s"))[:, None]


def moments_of(table: Table, name: str, wanted: str) -> np.ndarray:
    """The column `name` [N] as datetime64, or timedelta64 of durations. Raises UserError for what is no time.

    >>> import numpy as np
    >>> from packtrain.trainer.data.features import moments_of
    >>> from packtrain.trainer.data.table import Table
    >>> moments_of(Table("days.csv", {"day": np.array(["2024-01-31"])}), "day", "x").dtype
    dtype('<M8[us]')
    """
    column = table.column(name, wanted)
    moments = times(column)
    if moments is not None:
        return moments
    texts = words(column)
    wrong = (row for row in range(len(column)) if texts[row] and times(column[row : row + 1]) is None)
    row = next(wrong, 0)
    raise UserError(
        f"{table.where(row)}, column {name}: expected a date such as 2024-01-31 or 2024-01-31T12:30:00, got "
        f"{quoted(column[row : row + 1].tolist()[0])}"
    )


def of_origin(feature: Feature, seconds: float) -> str:
    """A number of seconds as people write it: a date where the feature has an origin.

    >>> from packtrain.trainer.data.features import Feature, of_origin
    >>> of_origin(Feature("t", "day", "seconds", origin="2024-01-01"), 90.0)
    '2024-01-01T00:01:30'
    """
    if feature.origin is None:
        return f"{seconds:.6g} s"
    return str(np.datetime64(feature.origin, "s") + np.timedelta64(round(seconds), "s"))


ENCODERS: dict[str, Callable[[Feature, Table, bool], np.ndarray]] = {
    NUMBER: _numbers,
    ONEHOT: _onehot,
    ORDINAL: _ordinal,
    SECONDS: _seconds,
    CATEGORY: _category,
}


def shown(categories: Sequence[str]) -> str:
    """The first categories, for people.

    >>> from packtrain.trainer.data.features import shown
    >>> shown(["blue", "red"])
    'blue, red'
    """
    more = f" and {len(categories) - SHOWN:,} more" if len(categories) > SHOWN else ""
    return ", ".join(categories[:SHOWN]) + more
