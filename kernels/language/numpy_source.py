"""A graph -> Python source text: one function of NumPy arrays, for people to read and to use elsewhere."""

import keyword
from collections.abc import Iterable, Mapping
from math import pi

from .expr import Expr, written
from .graph import Graph
from .notation import LANGUAGE, MULTIPLICATIVE, POWER, Notation, Written, atom, call, power, signed, wrap

ALIKE = ("exp", "log", "sqrt", "abs", "sin", "cos", "tan", "sinh", "cosh", "tanh")
RESERVED = {"np", "float", "each", "predict"}  # the source's own names


def _number(size: float) -> Written:
    return atom("np.pi" if size == pi else repr(size).removesuffix(".0"))


def _sigmoid(operand: Written) -> Written:
    return f"1/(1 + np.exp(-{wrap(operand, POWER)}))", MULTIPLICATIVE


NUMPY: Notation = {
    **LANGUAGE,
    "number": signed(_number),
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

    `definitions` are the graph's, or those that replace them; `values` the parameters' defaults. Names are
    the user's own, with a _ added to those that Python or the source itself uses.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.numpy_source import numpy_source
    >>> graph = parse("xy = a*exp(x)")
    >>> print(numpy_source(graph, graph.definitions, {"a": 2.0}).splitlines()[6])
        xy = a*np.exp(x)
    """
    equations = list(definitions)
    words = [*graph.inputs, *graph.parameters, *(variable for variable, _ in equations)]
    identifiers = _identifiers(words)
    notation = {**NUMPY, "name": lambda word: atom(identifiers[word])}
    arguments = ", ".join(identifiers[word] for word in words[: -len(equations)])
    inputs = [identifiers[word] for word in graph.inputs]
    defaults = [f"{identifiers[word]}={value!r}" for word, value in values.items()]
    outputs = ", ".join(identifiers[word] for word in graph.outputs)
    lines = [
        "import numpy as np",
        "",
        "",
        f"def predict({', '.join(inputs + defaults)}):",
        f'    """{outputs} of numbers or arrays."""',
        f"    [{arguments}] = [np.asarray(each, float) for each in [{arguments}]]",
        *(f"    {identifiers[variable]} = {written(e, notation)}" for variable, e in equations),
        f"    return {outputs}",
    ]
    return "\n".join(lines) + "\n"


def _identifiers(words: Iterable[str]) -> dict[str, str]:
    identifiers: dict[str, str] = {}
    for word in words:
        text = word
        while keyword.iskeyword(text) or text in RESERVED or text in identifiers.values():
            text += "_"
        identifiers[word] = text
    return identifiers
