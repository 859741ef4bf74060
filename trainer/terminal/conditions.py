"""Conditions on the runs that are shown: outcome=finished, seed=3,4, 'optimizer.lr<0.01'."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ...kernels.common.errors import UserError, nearest
from ..folder.ranking import Row

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(rf"([^=<>!]+)({'|'.join(COMPARISONS)})(.*)", re.DOTALL)
MOST = 1 << 16  # values of one condition
SHOWN = 6  # values of a column


@dataclass(frozen=True)
class Condition:
    """A comparison of a `column` with `values`, written as `text`; = and != take several, as in seed=3,4."""

    text: str
    column: str
    sign: str
    values: tuple[str, ...]

    def __call__(self, row: Row) -> bool:
        """Whether it holds for a row."""
        if self.sign == "!=":
            return not any(_compares(row[self.column], "=", value) for value in self.values)
        return any(_compares(row[self.column], self.sign, value) for value in self.values)

    def why_none(self, rows: Sequence[Row]) -> str:
        """A sentence where it holds for none of the rows, with the values that there are; else ''."""
        if any(map(self, rows)):
            return ""
        return f"{self.text} holds for no run: {self.column} is {_listed([row[self.column] for row in rows])}"


def condition(text: str, columns: Sequence[str], options: Sequence[str] = ()) -> Condition:
    """The condition that is written as `text`, on rows with these columns.

    Raises UserError for what is none, which suggests a column or one of the `options` for a misspelt name.

    >>> holds = condition("optimizer.lr<0.01", ["index", "optimizer.lr"])
    >>> holds({"index": 0, "optimizer.lr": 0.003}), holds({"index": 1, "optimizer.lr": 0.03})
    (True, False)
    """
    match = CONDITION.fullmatch(text)
    if match is None:
        raise UserError(f"expected a condition such as outcome=finished or 'optimizer.lr<0.01', got {text!r}")
    column, sign, value = match.groups()
    check_column(column, columns, options)
    if sign not in ("=", "!="):
        if _number(value) is None:
            raise UserError(f"{text}: expected a number after {sign}, got {value!r}")
        return Condition(text, column, sign, (value,))
    return Condition(text, column, sign, (value, *_several(value)))


def check_column(column: str, columns: Sequence[str], options: Sequence[str] = ()) -> None:
    """Raises UserError where there is no such column, with the nearest name, also of the `options`.

    >>> check_column("seed", ["index", "seed"])
    """
    if column not in columns:
        suggestion = nearest(column, [*columns, *options])
        raise UserError(f"there is no column {column}{suggestion}; there are {', '.join(columns)}")


def _several(value: str) -> list[str]:
    """The values that Hydra's sweep syntax names, as in 1,2 or range(0,8) or [2,10,2],[2,32,2]."""
    try:
        parsed = OverridesParser.create().parse_override(f"value={value}")
        return list(islice(map(str, parsed.sweep_iterator()), MOST)) if parsed.is_sweep_override() else []
    except (HydraException, OmegaConfBaseException):
        return []


def _compares(cell: Any, sign: str, value: str) -> bool:
    """Whether `cell sign value` holds: of numbers as numbers, of all else as text."""
    number = _number(value)
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return number is not None and COMPARISONS[sign](cell, number)
    return sign == "=" and _plain(_text(cell)) == _plain(value)


def _plain(text: str) -> str:
    """Without blanks, quotes and capitals; in lists equal numbers are spelled alike, and None is null."""
    text = re.sub(r"[\s'\"]", "", text).lower()
    if text[:1] not in ("[", "{"):
        return text
    return "".join(map(_word, re.split(r"([\[\]{},:])", text)))


def _word(text: str) -> str:
    number = _number(text)
    return "null" if text == "none" else text if number is None else str(number)


def _listed(cells: Sequence[Any]) -> str:
    """The different cells, in their order; of many numbers the least and the greatest."""
    different = [cell for cell in dict.fromkeys(cells) if cell is not None] or [None]
    if len(different) > SHOWN and not any(isinstance(cell, str) for cell in different):
        return f"from {min(different):.5g} to {max(different):.5g}"
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    return ", ".join(map(_text, different[:SHOWN])) + more


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(cell: Any) -> str:
    """As one types it: null for what is not known."""
    return "null" if cell is None else str(cell).lower()
