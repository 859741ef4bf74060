"""What is wrong with an equation, and where: a sentence, the line, and a caret under the fault."""

import re

from ..common.errors import UserError

SHOWN = 70  # characters of a long line that are shown to either side of a caret


class ExpressionError(UserError):
    """What is wrong with an expression graph, with the line and a caret under the fault."""

    def __init__(self, message: str, line: str | None = None, column: int = 0) -> None:
        super().__init__(message if line is None else f"{message}\n{_caret(line, column)}")


def _caret(line: str, column: int) -> str:
    start = max(0, column - SHOWN)
    before = "..." if start else ""
    after = "..." if len(line) > column + SHOWN else ""
    characters = line[start : column + SHOWN]
    shown = "".join(character if character.isprintable() else " " for character in characters)
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + column - start)}^"


def point_at(line: str, word: str, start: int = 0) -> tuple[str, int]:
    """`line`, and the column of the whole name `word` in it, from `start` on; 0 where it isn't there.

    >>> from packtrain.kernels.language.caret import point_at
    >>> point_at("xy = ab*x + b", "b")
    ('xy = ab*x + b', 12)
    """
    match = re.compile(_whole(word)).search(line, start)
    return line, match.start() if match else 0


def _whole(word: str) -> str:
    """The pattern of a whole name, in backticks or without."""
    text = re.escape(word)
    return rf"(?:`\s*{text}\s*`|(?<![A-Za-z0-9_`]){text}(?![A-Za-z0-9_`]))"


def right_of(line: str, variable: str) -> int:
    """The column behind `variable =`; 0 where it isn't there.

    >>> from packtrain.kernels.language.caret import right_of
    >>> right_of("xa = b; xy = xa", "xy")
    12
    """
    match = re.search(rf"{_whole(variable)}\s*=", line)
    return match.end() if match else 0
