"""Numbers in generated code, whose arithmetic writes lines: so one algorithm makes values and text alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Table = Mapping[str, Callable[..., Any]]  # op -> the text of its value, given its operands; or a `Text`


class Lines:
    """Assignments to NAME0, NAME1, ... in the order in which they were written.

    `number` writes a constant.

    >>> from packtrain.kernels.expression.text import Lines
    >>> lines = Lines("e")
    >>> a, b = lines.named("a", "b")
    >>> str((a + 2) / b), lines.written
    ('e1', ['e0 = a + 2.0', 'e1 = e0 / b'])
    """

    def __init__(self, name: str, number: Callable[[float], str] = repr) -> None:
        self.name, self.number = name, number
        self.written: list[str] = []

    def named(self, *names: str) -> list["Text"]:
        """The numbers that have these names already."""
        return [Text(name, self) for name in names]

    def operand(self, value: "Text | float") -> str:
        """How a number is written: by its name, or as a constant."""
        return value.name if isinstance(value, Text) else self.number(float(value))

    def assign(self, text: str) -> "Text":
        """Writes NAMEi = text."""
        result = Text(f"{self.name}{len(self.written)}", self)
        self.written.append(f"{result} = {text}")
        return result

    def functions(self, table: Table) -> dict[str, Callable[..., "Text"]]:
        """op -> the function of numbers that writes it by its row."""
        return {op: self._function(row) for op, row in table.items()}

    def _function(self, row: Callable[..., Any]) -> Callable[..., "Text"]:
        def write(*args: "Text") -> Text:
            result = row(*args)
            return result if isinstance(result, Text) else self.assign(result)

        return write


def _infix(symbol: str) -> Callable[["Text", "Text | float"], "Text"]:
    return lambda left, right: left.lines.assign(f"{left} {symbol} {left.lines.operand(right)}")


def _swapped(symbol: str) -> Callable[["Text", "Text | float"], "Text"]:
    return lambda right, left: right.lines.assign(f"{right.lines.operand(left)} {symbol} {right}")


@dataclass(frozen=True, slots=True)
class Text:
    """A number called `name` in code; what is computed with it is written to `lines`. A comparison is a mask.

    >>> from packtrain.kernels.expression.text import Lines, Text
    >>> lines = Lines("m")
    >>> str(Text("v3", lines) < 0), lines.written
    ('m0', ['m0 = v3 < 0.0'])
    """

    name: str
    lines: Lines

    def __str__(self) -> str:
        return self.name

    def __neg__(self) -> "Text":
        return self.lines.assign(f"-{self}")

    __add__, __radd__ = _infix("+"), _swapped("+")
    __sub__, __rsub__ = _infix("-"), _swapped("-")
    __mul__, __rmul__ = _infix("*"), _swapped("*")
    __truediv__, __rtruediv__ = _infix("/"), _swapped("/")
    __lt__, __le__, __gt__, __ge__ = _infix("<"), _infix("<="), _infix(">"), _infix(">=")
    __and__, __or__ = _infix("&"), _infix("|")
