"""Equations -> graph: the parser, bounded in length and depth, that points at what it refuses."""

from collections.abc import Collection, Iterable, Sequence

from .caret import ExpressionError
from .expr import Expr, walk
from .graph import Graph
from .line import Line

MAX_LENGTH = 8_000  # characters of a graph
MAX_PARTS = 10_000  # of its equations, where functions that are formulas are written out


def parse(
    text: str | Sequence[str],
    outputs: Iterable[str] | None = None,
    declared: Collection[str] = (),
    variables: Iterable[str] = (),
) -> Graph:
    """The graph of `xz = bc*xx + xy`, one assignment a line or list item, or several with ; between them.

    Names that begin with x are variables, and so are names on the left of an equation, names in backticks,
    and those in `variables`; the others, and those `declared`, are learnable parameters.
    `outputs` are the variables compared with the data; without them, those that no expression uses.
    Raises ExpressionError: a sentence, and a caret under the fault.

    >>> from packtrain.kernels.language import parse
    >>> parse("y = a*exp(-k*t)", variables=["t"]).parameters
    ('a', 'k')
    >>> parse("xz = bc*xx + 2x")
    Traceback (most recent call last):
    packtrain...ExpressionError: expected an operator or the end of the line, got 'x'
      xz = bc*xx + 2x
                    ^
    """
    lines = [line for item in _items(text) for line in item.splitlines() if line.strip()]
    check_length(lines)
    readers = [Line(line, declared) for line in lines]
    definitions: dict[str, tuple[Expr, str]] = {}
    left = MAX_PARTS
    for reader in readers:
        for variable, expression in reader.assignments(definitions):
            left -= _parts(expression) if reader.expands else 0
            if left < 0:
                raise reader.error(
                    f"more than {MAX_PARTS:,} operations and names, with functions such as silu written out",
                    variable,
                )
            definitions[variable.text] = expression, reader.line
    expressions = {variable: expression for variable, (expression, _) in definitions.items()}
    origins = {variable: line for variable, (_, line) in definitions.items()}
    quoted = {token.text for reader in readers for token in reader.tokens if token.kind == "quoted"}
    return Graph.build(expressions, outputs, origins, declared, {*variables, *quoted})


def _items(text: str | Sequence[str]) -> list[str]:
    items = [text] if isinstance(text, str) else list(text)
    for item in items:
        if not isinstance(item, str):
            raise ExpressionError(f"expected equations such as 'xy = a*x + b', got {item!r}")
    return items


def check_length(lines: Sequence[str]) -> None:
    """Raises ExpressionError where equations are longer than MAX_LENGTH.

    >>> from packtrain.kernels.language.parse import check_length
    >>> check_length(["xy = a*x", "xz = b*xy"])
    """
    left, total = MAX_LENGTH, sum(map(len, lines))
    for line in lines:
        if len(line) > left:
            message = f"expected at most {MAX_LENGTH:,} characters of equations, got {total:,}"
            raise ExpressionError(message, line, left)
        left -= len(line)


def _parts(root: Expr) -> int:
    """The operations and names of an expression, written out: equal parts are one object, and many here."""
    sizes: dict[Expr, int] = {}
    for part in walk(root):
        sizes[part] = 1 + sum(sizes[arg] for arg in part.args)
    return sizes[root]
