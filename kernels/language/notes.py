"""Sentences about names that a reader may take for something else: said, not refused."""

from collections.abc import Iterable

from .expr import walk
from .graph import Graph


def notes(graph: Graph, columns: Iterable[str] = ()) -> list[str]:
    """A sentence for each parameter that looks like a constant, or like a variable.

    `columns` are the names of the data's columns.

    >>> from packtrain.kernels.language import notes, parse
    >>> notes(parse("xy = e^(b*x)"))
    ['e is a parameter here; exp(x) is the function']
    """
    return [*_constants(graph), *_variables(graph, list(columns))]


def _constants(graph: Graph) -> list[str]:
    """e as the base of a power, and pi in capitals."""
    parts = walk(*graph.expressions.values())
    bases = {str(part.args[0].value) for part in parts if part.op == "pow" and part.args[0].op == "name"}
    like_e = [p for p in graph.parameters if p in bases & {"e", "E"}]
    like_pi = [p for p in graph.parameters if p.lower() == "pi"]
    return [
        *(f"{p} is a parameter here; exp(x) is the function" for p in like_e),
        *(f"{p} is a parameter here; the number is pi" for p in like_pi),
    ]


def _variables(graph: Graph, columns: list[str]) -> list[str]:
    """Parameters named like a column, or like a column or an input but for capitals."""
    free = [p for p in graph.parameters if p not in graph.declared]
    known = dict.fromkeys([*columns, *graph.inputs])
    alike = {p: p if p in known else next((w for w in known if w.lower() == p.lower()), None) for p in free}
    return [_variable(graph, p, word) for p, word in alike.items() if word is not None]


def _variable(graph: Graph, parameter: str, word: str) -> str:
    rule = f"{parameter} is a parameter here: only names that begin with x are variables"
    if graph.is_variable(word):
        return f"{rule}, as {word} is"
    return f"{rule}; as x{parameter}, with 'data.columns={{x{parameter}: {word}}}', it is the column {word}"
