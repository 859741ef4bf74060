"""What the columns of a table hold: numbers, words or dates, their ranges, and how many are missing."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from .table import Table

NUMBERS, WHOLE, WORDS, DATES = "numbers", "whole numbers", "words", "dates"


@dataclass(frozen=True)
class Contents:
    """A column: name, kind, the least and the greatest cell, how many differ, and how many are missing."""

    name: str
    kind: str
    least: str
    greatest: str
    different: int
    missing: int

    @property
    def is_numeric(self) -> bool:
        """Whether an equation can take it."""
        return self.kind in (NUMBERS, WHOLE)


def contents(table: Table) -> list[Contents]:
    """Each column of `table` that can be used, in its order.

    >>> import numpy as np
    >>> from packtrain.trainer.data.contents import contents
    >>> from packtrain.trainer.data.table import Table
    >>> contents(Table("cup.csv", {"celsius": np.array([90.0, np.nan, 76.2])}))
    [Contents(name='celsius', kind='numbers', least='76.2', greatest='90', different=2, missing=1)]
    """
    return [_contents(name, column) for name, column in table.columns.items()]


def _contents(name: str, column: np.ndarray) -> Contents:
    cells = [cell for cell in column.tolist() if not _is_missing(cell)]
    missing = len(column) - len(cells)
    if not cells:
        return Contents(name, WORDS, "", "", 0, missing)
    kind, values = DATES if column.dtype.kind == "M" else WORDS, [str(cell) for cell in cells]
    with suppress(ValueError, TypeError):
        numbers = [float(cell) for cell in cells]
        kind, values = WHOLE if all(number.is_integer() for number in numbers) else NUMBERS, numbers
    return Contents(name, kind, _shown(min(values)), _shown(max(values)), len(set(values)), missing)


def _is_missing(cell: Any) -> bool:
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def _shown(cell: Any) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def groups_in(columns: Sequence[Contents], rows: int) -> list[str]:
    """The columns of words that tell groups of rows apart: each stands in several rows.

    >>> from packtrain.trainer.data.contents import WORDS, Contents, groups_in
    >>> groups_in([Contents("cell", WORDS, "A", "B", 2, 0), Contents("note", WORDS, "a", "z", 9, 0)], 10)
    ['cell']
    """
    return [c.name for c in columns if c.kind == WORDS and 1 < c.different <= rows // 3]
