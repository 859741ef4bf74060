"""A graph -> Python source text: one function of NumPy arrays, for people to read and to use elsewhere."""

import keyword
from collections.abc import Iterable, Mapping
from math import pi

from .expr import Expr, written
from .graph import Graph
from .notation import LANGUAGE, Notation, Written, atom, call, power, signed, wrap
from .ops import MULTIPLICATIVE, POWER

ALIKE = ("exp", "log", "sqrt", "abs", "sin", "cos", "tan", "sinh", "cosh", "tanh")
TAKEN = {"np", "float", "each", "predict"}


def _size(size: float) -> Written:
    return atom("np.pi" if size == pi else repr(size).removesuffix(".0"))


def _sigmoid(operand: Written) -> Written:
    return f"1/(1 + np.exp(-{wrap(operand, POWER)}))", MULTIPLICATIVE


NUMPY: Notation = {
    **LANGUAGE,
    "number": signed(_size),
    "pow": power("**"),
    **{function: call(f"np.{function}") for function in ALIKE},
    **{f"a{function}": call(f"np.arc{function}") for function in ("sin", "cos", "tan")},
    "min": call("np.minimum"),
    "max": call("np.maximum"),
    "sigmoid": _sigmoid,
    "relu": lambda operand: call("np.maximum")(operand, atom(0)),
    "softplus": lambda operand: call("np.logaddexp")(operand, atom(0)),
}


def numpy_source(graph: Graph, definitions: Iterable[tuple[str, Expr]], values: Mapping[str, float]) -> str:
    """The module that defines predict(inputs..., parameters=values...) -> the outputs.

    `definitions` are the graph's, or what stands for them. Names are the user's own, with a _ added
    where Python has another use for one.
    """
    equations = list(definitions)
    words = [*graph.inputs, *graph.parameters, *(variable for variable, _ in equations)]
    known = _identifiers(words)
    notation = {**NUMPY, "name": lambda word: atom(known[word])}
    given = ", ".join(known[word] for word in words[: -len(equations)])
    inputs = [known[word] for word in graph.inputs]
    defaults = [f"{known[word]}={value!r}" for word, value in values.items()]
    outputs = ", ".join(known[word] for word in graph.outputs)
    lines = [
        "import numpy as np",
        "",
        "",
        f"def predict({', '.join(inputs + defaults)}):",
        f'    """{outputs} of numbers or arrays."""',
        f"    [{given}] = [np.asarray(each, float) for each in [{given}]]",
        *(f"    {known[variable]} = {written(e, notation)}" for variable, e in equations),
        f"    return {outputs}",
    ]
    return "\n".join(lines) + "\n"


def _identifiers(words: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        text = word
        while keyword.iskeyword(text) or text in TAKEN or text in found.values():
            text += "_"
        found[word] = text
    return found
