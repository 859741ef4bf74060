"""The results of many runs, held by columns and read as rows, each of which is made when it is asked for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

Row = dict[str, Any]  # of result.json's runs, or a part of it
Path = tuple[str, ...]

ABSENT: Any = object()  # what a run says nothing of: its row hasn't the key


class Rows(Sequence[Row]):
    """R runs: rows[i] is run i as in result.json, in which a number that isn't finite is None.

    `columns` are nested as a row is. Where a row has a value they have a value of each run: an array [R],
    a list, or a kind of this module; None stands for None in every run. `places` are the runs that the rows
    are of, in their order: without them all.

    >>> rows = Rows({"index": range(3), "loss": {"last": np.array([1.0, np.nan, 0.5]), "validation": None}})
    >>> rows[1], len(rows), [row["index"] for row in rows.of(np.array([2, 0]))]
    ({'index': 1, 'loss': {'last': None, 'validation': None}}, 3, [2, 0])
    """

    def __init__(self, columns: Row, places: np.ndarray | None = None) -> None:
        self.columns = columns
        self.places = np.arange(len(columns["index"])) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Row | Rows":
        if isinstance(index, slice):
            return self.of(np.arange(len(self))[index])
        return _row(self.columns, int(self.places[index]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"Rows of {len(self):,} runs"

    def of(self, rows: np.ndarray) -> "Rows":
        """These of the rows, by their places or marked, in this order."""
        return Rows(self.columns, self.places[rows])

    def gathered(self) -> "Rows":
        """The same rows, numbered from 0, with columns that hold nothing else.

        >>> rows = Rows({"index": range(3), "loss": {"last": np.array([1.0, np.nan, 0.5])}})
        >>> list(rows.of(np.array([2])).gathered())
        [{'index': 0, 'loss': {'last': 0.5}}]
        """
        columns = {name: _gathered(column, self.places) for name, column in self.columns.items()}
        return Rows(columns | {"index": range(len(self))})


def each(rows: Sequence[Row], *path: str) -> list[Any]:
    """The value at `path` of every row; of rows that have none, None.

    >>> each([{"loss": {"last": 1.0}}, {"loss": {"last": None}}], "loss", "last")
    [1.0, None]
    """
    if not isinstance(rows, Rows):
        return [_below(row, path) for row in rows]
    column = _below(rows.columns, path)
    return [None if column is None else _value(column[run]) for run in rows.places.tolist()]


def numbers(rows: Sequence[Row], *path: str) -> np.ndarray:
    """As `each`, in float64: NaN where there is no number, or one that isn't finite.

    >>> numbers(Rows({"index": range(2), "loss": {"last": np.array([1.0, np.inf])}}), "loss", "last")
    array([ 1., nan])
    """
    column = _below(rows.columns, path) if isinstance(rows, Rows) else None
    if isinstance(rows, Rows) and isinstance(column, np.ndarray) and not np.ma.isMaskedArray(column):
        values = column[rows.places].astype(np.float64)
    else:
        is_number = (value if isinstance(value, (int, float)) else math.nan for value in each(rows, *path))
        values = np.fromiter(is_number, np.float64, len(rows))
    return np.where(np.isfinite(values), values, math.nan)


class Pair:
    """Of each run [low, high], or None where both are NaN.

    >>> Pair(np.array([1.0, np.nan]), np.array([2.0, np.nan]))[0]
    [1.0, 2.0]
    """

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low, self.high = low, high

    def __getitem__(self, run: int) -> list[float] | None:
        low, high = float(self.low[run]), float(self.high[run])
        return None if math.isnan(low) and math.isnan(high) else [low, high]


class Names:
    """Of each run those of the `names` [P] that its row of `mask` [R, P] marks.

    >>> names = Names(["a", "b"], np.array([[True, True], [False, True]]))
    >>> names[1], names.joined(" ")
    (['b'], ['a b', 'b'])
    """

    def __init__(self, names: Sequence[str], mask: np.ndarray) -> None:
        self.names, self.mask = names, mask

    def __getitem__(self, run: int) -> list[str]:
        return [self.names[place] for place in np.flatnonzero(self.mask[run]).tolist()]

    def joined(self, separator: str) -> list[str]:
        """The names of each run as one text."""
        texts = [""] * len(self.mask)
        for run in np.flatnonzero(self.mask.any(1)).tolist():
            texts[run] = separator.join(self[run])
        return texts


class Some:
    """Of some runs what they have, `values` by run, and of all others `missing`.

    >>> notes = Some({1: ["slow", "wide"]}, runs=2, missing=[])
    >>> notes[0], notes.joined("; ")
    ([], ['', 'slow; wide'])
    """

    def __init__(self, values: Mapping[int, Any], runs: int, missing: Any = ABSENT) -> None:
        self.values, self.runs, self.missing = values, runs, missing

    def __getitem__(self, run: int) -> Any:
        return self.values.get(run, self.missing)

    def joined(self, separator: str) -> list[str]:
        """The texts of each run as one."""
        texts = [separator.join(self.missing)] * self.runs
        for run, value in self.values.items():
            texts[run] = separator.join(value)
        return texts


class Correlation:
    """Of each run name -> name -> correlation, for the parameters that are `known` [R, P].

    `unscaled` [R, P, P] is the covariance, up to a factor of each run.

    >>> unscaled = np.array([[[4.0, 1.0], [1.0, 1.0]]])
    >>> Correlation(["a", "b"], unscaled, np.array([[True, True]]))[0]
    {'a': {'a': 1.0, 'b': 0.5}, 'b': {'a': 0.5, 'b': 1.0}}
    """

    def __init__(self, names: Sequence[str], unscaled: np.ndarray, known: np.ndarray) -> None:
        self.names, self.unscaled, self.known = names, unscaled, known

    def __getitem__(self, run: int) -> dict[str, dict[str, float]]:
        places = np.flatnonzero(self.known[run]).tolist()
        return {self.names[a]: {self.names[b]: float(self.of(a, b)[run]) for b in places} for a in places}

    def of(self, a: int, b: int) -> np.ndarray:
        """The correlations of two parameters, by their places: [R], NaN where one isn't known."""
        both = self.known[:, a] & self.known[:, b]
        with np.errstate(divide="ignore", invalid="ignore"):
            left = self.unscaled[:, a, b] / np.sqrt(self.unscaled[:, a, a])
            return np.where(both, left / np.sqrt(self.unscaled[:, b, b]), math.nan)


def finite(value: Any) -> Any:
    """`value`, in which numbers that are not finite are None, at any depth.

    >>> finite({"loss": [1.0, float("nan")]})
    {'loss': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _gathered(column: Any, places: np.ndarray) -> Any:
    """A column, or those below it, of the runs at `places` alone."""
    if isinstance(column, dict):
        return {name: _gathered(part, places) for name, part in column.items()}
    if column is None or isinstance(column, np.ndarray):
        return column if column is None else column[places]
    if isinstance(column, Some):
        known = {n: column.values[run] for n, run in enumerate(places.tolist()) if run in column.values}
        return Some(known, len(places), column.missing)
    return [column[run] for run in places.tolist()]


def _row(columns: Row, run: int) -> Row:
    """The nested row of one run."""
    return dict(_entries(columns, run))


def _entries(columns: Row, run: int) -> Iterator[tuple[str, Any]]:
    for name, column in columns.items():
        if isinstance(column, dict):
            yield name, _row(column, run)
        elif column is None:
            yield name, None
        elif (value := column[run]) is not ABSENT:
            yield name, _value(value)


def _value(value: Any) -> Any:
    """A value of a column as one of Python."""
    if type(value) in (str, int):
        return value
    return None if value is np.ma.masked else finite(value.item() if isinstance(value, np.generic) else value)


def _below(row: Any, path: Path) -> Any:
    for name in path:
        row = None if row is None else row.get(name)
    return row
