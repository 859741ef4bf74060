"""The arguments of the subcommands `show` and `export`: a folder, options, conditions."""

import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kernels.errors import UserError, nearest
from trainer.rows import Row

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(rf"([\w.]+)({'|'.join(COMPARISONS)})(.*)")


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


def condition(text: str, columns: Sequence[str]) -> Callable[[Row], bool]:
    """Whether COLUMN=VALUE, COLUMN<VALUE, ... holds for a row. Raises UserError."""
    found = CONDITION.fullmatch(text)
    if found is None:
        raise UserError(f"expected a condition such as outcome=finished or 'optimizer.lr<0.01', got {text!r}")
    column, sign, value = found.groups()
    check_column(column, columns)
    compare = COMPARISONS[sign]
    number = _number(value)
    if number is None and sign not in ("=", "!="):
        raise UserError(f"{text}: expected a number after {sign}, got {value!r}")

    def holds(row: Row) -> bool:
        cell = row[column]
        if isinstance(cell, (int, float)) and not isinstance(cell, bool) and number is not None:
            return compare(cell, number)
        return sign in ("=", "!=") and compare(_text(cell), value.lower())

    return holds


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
