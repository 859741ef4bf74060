"""The arguments of the subcommands `show` and `export`: a folder, options, conditions."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
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


def read_arguments(
    arguments: Sequence[str], usage: str, options: Sequence[str]
) -> tuple[Path, dict[str, str], list[str]]:
    """The folder, the options NAME=VALUE among `options`, and what else was given. Raises UserError."""
    if not arguments or not Path(arguments[0]).is_dir():
        got = f"; {arguments[0]} is no folder" if arguments else ""
        raise UserError(f"expected {usage}, with the folder of a training or a sweep{got}")
    pairs = [(name, value) for name, _, value in (argument.partition("=") for argument in arguments[1:])]
    given = {name: value for name, value in pairs if name in options}
    return Path(arguments[0]), given, [a for a in arguments[1:] if a.partition("=")[0] not in options]


@dataclass(frozen=True)
class Condition:
    """COLUMN=VALUE, COLUMN<VALUE, ... as `text` has it; for = and != VALUE may be several, as in seed=3,4."""

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
        """The sentence that it holds for none of the rows, and what there is; '' where it holds for one."""
        if any(map(self, rows)):
            return ""
        return f"{self.text} holds for no run: {self.column} is {_listed([row[self.column] for row in rows])}"


def condition(text: str, columns: Sequence[str]) -> Condition:
    """What `text` asks of a row with these columns. Raises UserError."""
    found = CONDITION.fullmatch(text)
    if found is None:
        raise UserError(f"expected a condition such as outcome=finished or 'optimizer.lr<0.01', got {text!r}")
    column, sign, value = found.groups()
    check_column(column, columns)
    if sign not in ("=", "!="):
        if _number(value) is None:
            raise UserError(f"{text}: expected a number after {sign}, got {value!r}")
        return Condition(text, column, sign, (value,))
    return Condition(text, column, sign, (value, *_each(value)))


def _each(value: str) -> list[str]:
    """The values that Hydra's sweep syntax names, as in 1,2 or range(0,8) or [2,10,2],[2,32,2]."""
    try:
        parsed = OverridesParser.create().parse_override(f"value={value}")
        return list(islice(map(str, parsed.sweep_iterator()), MOST)) if parsed.is_sweep_override() else []
    except (HydraException, OmegaConfBaseException):
        return []


def _compares(cell: Any, sign: str, value: str) -> bool:
    """Numbers as numbers, all else as text."""
    number = _number(value)
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return number is not None and COMPARISONS[sign](cell, number)
    return sign == "=" and _plain(_text(cell)) == _plain(value)


def _plain(text: str) -> str:
    """Without blanks, quotes and capitals; in lists numbers are told in one way, and null is one word."""
    text = re.sub(r"[\s'\"]", "", text).lower()
    if text[:1] not in ("[", "{"):
        return text
    return "".join(map(_word, re.split(r"([\[\]{},:])", text)))


def _word(text: str) -> str:
    number = _number(text)
    return "null" if text == "none" else text if number is None else str(number)


def _listed(cells: Sequence[Any]) -> str:
    """The different cells, in their order; of many numbers the least and the greatest."""
    found = [each for each in dict.fromkeys(cells) if each is not None] or [None]
    if len(found) > SHOWN and not any(isinstance(each, str) for each in found):
        return f"from {min(found):.5g} to {max(found):.5g}"
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(map(_text, found[:SHOWN])) + more


def check_column(column: str, columns: Sequence[str]) -> None:
    """Raises UserError where there is no such column."""
    if column not in columns:
        raise UserError(
            f"there is no column {column}{nearest(column, columns)}; there are {', '.join(columns)}"
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(cell: Any) -> str:
    """As one types it: null for what is not known."""
    return "null" if cell is None else str(cell).lower()
