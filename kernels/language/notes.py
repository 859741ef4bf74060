"""Sentences about parameters that look like something else, or can't be learned: said, not refused."""

from collections.abc import Iterable

from .definitions import WRITABLE
from .expr import walk
from .graph import Graph
from .latex import GREEK


def notes(graph: Graph, columns: Iterable[str] = ()) -> list[str]:
    """A sentence for each parameter that looks like a constant, a function or a variable, or has no slope.

    `columns` are the names of the data's columns.

    >>> from packtrain.kernels.language import notes, parse
    >>> notes(parse("xy = e^(b*x)"))
    ['e is a parameter here; exp(x) is the function']
    """
    return [*_constants(graph), *_functions(graph), *_variables(graph, list(columns)), *_flat(graph)]


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


def _functions(graph: Graph) -> list[str]:
    """Parameters named like a function, but for Greek letters: beta is one in most equations."""
    named = [p for p in graph.parameters if p in WRITABLE and p not in GREEK]
    return [f"{p} is a parameter here; {p}(...) is the function" for p in named]


def _variables(graph: Graph, columns: list[str]) -> list[str]:
    """Parameters named like a column, or like a column or an input but for capitals."""
    free = [p for p in graph.parameters if p not in graph.declared]
    known = dict.fromkeys([*columns, *graph.inputs])
    alike = {p: p if p in known else next((w for w in known if w.lower() == p.lower()), None) for p in free}
    return [_variable(graph, p, word) for p, word in alike.items() if word is not None]


def _variable(graph: Graph, parameter: str, word: str) -> str:
    if graph.is_variable(word):
        return f"{parameter} is a parameter here, and {word} a variable"
    named = ", ".join([*graph.variables, parameter])
    told = f"model.variables=[{named}]" if parameter == word else f"data.columns={{{parameter}: {word}}}"
    return f"{parameter} is a parameter here; with '{told}' it is the column {word}"


def _flat(graph: Graph) -> list[str]:
    """Parameters whose slope is 0 everywhere."""
    return [
        f"{p} can't be learned: {graph.is_flat(p)}, or give its value in model.initial" for p in graph.flat
    ]
