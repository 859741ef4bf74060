"""A table of named columns, whose cells are read as numbers or as class labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...kernels.common.errors import UserError, nearest
from .cells import MISSING, floats, is_missing
from .discretion import quoted, told
from .rounding import loss_of

WHOLE = 2.0**53  # from which on float64 doesn't hold every integer


@dataclass(frozen=True)
class Blocks:
    """Groups of `samples` rows each, one after another: `keys` [G] by name, on a grid of this `shape`."""

    keys: dict[str, np.ndarray]
    shape: tuple[int, ...]
    samples: int

    @property
    def groups(self) -> int:
        """G."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Table:
    """Columns by name, each [N], and `source`, the file or data set that errors name.

    `refused` maps the names of columns that can't be used to the reason, for when one is asked for.
    `parts` are the files whose rows stand after one another, each with its count, where there are several.
    `beside` names columns that nobody wrote, which are inputs only where they are asked for.
    `notes` are sentences for people on how it was read. `arrays` are those that the columns come from, if
    any, and `blocks` the groups that its rows are in. `mend` ends sentences about missing cells.
    Raises UserError where no column has a row.
    """

    source: str
    columns: dict[str, np.ndarray]
    refused: dict[str, str] = field(default_factory=dict)
    parts: tuple[tuple[str, int], ...] = ()
    beside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    blocks: Blocks | None = None
    mend: str = ""

    def __post_init__(self) -> None:
        if not any(len(column) for column in self.columns.values()):
            why = next(iter(self.refused.values()), "expected named columns with at least one row")
            raise UserError(f"{self.source} is empty: {why}")

    @property
    def names(self) -> list[str]:
        """The names of all columns, refused ones too."""
        return list(dict.fromkeys([*self.columns, *self.refused]))

    @property
    def shown(self) -> str:
        """The first names, for people."""
        return ", ".join(self.names[:20])

    def column(self, name: str, wanted: str) -> np.ndarray:
        """The column `name` [N]. Raises UserError where there is none, which says what is `wanted` of it."""
        if name in self.refused:
            raise UserError(f"{self.source}, {name} for {wanted}: {self.refused[name]}")
        if name not in self.columns:
            raise UserError(
                f"{self.source} has no column {name!r} for {wanted}{nearest(name, self.columns)}; "
                f"it has {self.shown}"
            )
        return self.columns[name]

    def rows(self, names: Sequence[str]) -> int:
        """N of these columns. Raises UserError where they are not of one length."""
        lengths = {name: len(self.columns[name]) for name in names if name in self.columns}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise UserError(f"{self.source}: the columns differ in length: {listed}")
        return max(lengths.values(), default=0)

    def without(self, names: Sequence[str]) -> "Table":
        """The table without the columns of these names."""
        return replace(self, columns={n: cells for n, cells in self.columns.items() if n not in names})

    def category(self, name: str) -> tuple[str, str] | None:
        """(colour, red) of a `name` such as colour=red, where colour is a column and the name isn't."""
        column, sign, category = name.partition("=")
        return (column, category) if sign and column in self.columns and name not in self.names else None

    def where(self, row: int) -> str:
        """The source and the number, from 1, of the row at index `row`, for people."""
        for source, count in self.parts:
            if row < count:
                return f"{source}, row {row + 1}"
            row -= count
        return f"{self.source}, row {row + 1}"

    def numbers(self, name: str, wanted: str, missing: bool = False) -> np.ndarray:
        """The column `name` [N] as float64. Raises UserError, with the row of what is no finite number.

        With `missing`, empty cells and those that aren't finite are NaN; words are refused all the same.
        """
        column = self.column(name, wanted)
        if column.dtype.kind == "c":
            raise UserError(f"{self.source}, column {name}: expected real numbers, got complex ones")
        values = floats(column)
        bad = ~np.isfinite(values)
        if missing and bad.any():
            values = np.where(bad, np.nan, values)
            bad = _are_words(column, bad)
        for row in np.flatnonzero(bad)[:1]:
            got = _got(column, row) + (self.mend if is_missing(column[row : row + 1], MISSING).any() else "")
            raise UserError(f"{self.where(row)}, column {name}: expected a finite number, got {got}")
        self._check_integers(name, column, values)
        return values

    def classes(self, name: str, wanted: str, missing: bool = False) -> tuple[tuple[str, ...], np.ndarray]:
        """The class labels in the column `name`, sorted, and the index of each row's, [N].

        With `missing` the index is -1 where there is no label. Raises UserError, which names such a row.
        """
        column = self.column(name, wanted)
        absent = is_missing(column)
        if absent.any() and not missing:
            where = f"{self.where(int(absent.argmax()))}, column {name}"
            raise UserError(f"{where}: expected a class label, got nothing{self.mend}")
        present = column[~absent]
        if column.dtype == object:  # cells of several kinds have no order of their own
            present = np.array([str(cell) for cell in present])
        labels, places = np.unique(present, return_inverse=True)
        index = np.full(len(column), -1)
        index[~absent] = places
        return tuple(str(label) for label in labels), index

    def _check_integers(self, name: str, column: np.ndarray, values: np.ndarray) -> None:
        """Raises UserError where float64 can't hold the integers of a column apart."""
        if not (column.dtype.kind in "iu" or _holds_integers(column)) or not (np.abs(values) >= WHOLE).any():
            return
        column, values = column[~np.isnan(values)], values[~np.isnan(values)]
        exact, least = column.tolist(), min(column.tolist())
        above_least = [np.array([int(v) - least for v in side], np.longdouble) for side in (exact, values)]
        lost = loss_of(*above_least)
        if lost and lost.large:
            raise UserError(
                f"{self.source}, column {name}: float64 has no room for such integers: {lost}; "
                f"subtract an offset from them in the file, such as the smallest{told(f', {least}')}"
            )


def _holds_integers(column: np.ndarray) -> bool:
    return column.dtype == object and all(type(cell) is int for cell in column[~is_missing(column)])


def _are_words(column: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Which of the `bad` cells [N] are no numbers, and not missing either."""
    return bad & ~is_missing(column, MISSING) & np.array([not isinstance(cell, float) for cell in column])


def _got(column: np.ndarray, row: int) -> str:
    """What stands in the row instead of a number."""
    cell = column[row : row + 1].tolist()[0]
    return "nothing" if cell is None else quoted(cell)
