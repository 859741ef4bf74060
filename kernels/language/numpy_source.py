"""A graph -> Python source text: one function of NumPy arrays, for people to read and to use elsewhere."""

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from math import pi

from .expr import Expr, walk, written
from .graph import Graph
from .notation import (
    ADDITIVE,
    COMPARISONS,
    LANGUAGE,
    MULTIPLICATIVE,
    NAME,
    POWER,
    Notation,
    Written,
    atom,
    bare,
    binary,
    bracketed,
    call,
    power,
    signed,
    wrap,
)

ALIKE = (
    "exp", "expm1", "log", "log1p", "log10", "log2", "sqrt", "cbrt", "abs", "sign", "floor", "ceil", "round",
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "sinc", "hypot",
)  # fmt: skip
SPECIAL = {
    **{name: name for name in ("erf", "erfc", "erfcx", "j0", "j1")},
    **{"lgamma": "gammaln", "wofz_real": "wofz", "wofz_imag": "wofz"},
}  # operation -> the function of scipy.special
RESERVED = {"np", "special", "float", "each", "predict"}  # the source's own names
NUMBER = ("np.float64(", ")")  # makes numbers of a comparison


def _number(size: float) -> Written:
    return atom("np.pi" if size == pi else repr(size).removesuffix(".0"))


def _sigmoid(operand: Written) -> Written:
    return f"1/(1 + np.exp(-{wrap(operand, POWER)}))", MULTIPLICATIVE


def _where(condition: Written, first: Written, second: Written) -> Written:
    return call("np.where")(atom(bare(condition, NUMBER)), first, second)


def _faddeeva(part: str) -> Callable[..., Written]:
    """The real or imaginary part of w(u + iv)."""

    def write(u: Written, v: Written) -> Written:
        point = binary(" + ", ADDITIVE)(u, binary("*", MULTIPLICATIVE)(atom("1j"), v))
        return atom(f"{call('special.wofz')(point)[0]}.{part}")

    return write


NUMPY: Notation = {
    **LANGUAGE,
    "number": signed(_number),
    "pow": power("**"),
    **{function: call(f"np.{function}") for function in ALIKE},
    **{f"a{function}": call(f"np.arc{function}") for function in ("sin", "cos", "tan", "tan2")},
    **{f"a{function}": call(f"np.arc{function}") for function in ("sinh", "cosh", "tanh")},
    **{op: call(f"special.{function}") for op, function in SPECIAL.items()},
    **{op: bracketed(symbol, NUMBER) for op, symbol in COMPARISONS.items()},
    "where": _where,
    "wofz_real": _faddeeva("real"),
    "wofz_imag": _faddeeva("imag"),
    "min": call("np.minimum"),
    "max": call("np.maximum"),
    "sigmoid": _sigmoid,
    "relu": lambda operand: call("np.maximum")(operand, atom(0)),
    "softplus": lambda operand: call("np.logaddexp")(operand, atom(0)),
}


def numpy_source(graph: Graph, definitions: Iterable[tuple[str, Expr]], values: Mapping[str, float]) -> str:
    """The module that defines predict(inputs..., parameters=values...) -> the outputs.

    `definitions` are the graph's, or those that replace them; `values` the parameters' defaults. Names are
    the user's own, with a _ added to those that Python or the source itself uses, and a _ for what no
    identifier can hold. It imports NumPy, and of SciPy `special` if it needs that.

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
    needs_scipy = any(part.op in SPECIAL for part in walk(*(e for _, e in equations)))
    lines = [
        "import numpy as np",
        *(["from scipy import special"] if needs_scipy else []),
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
    """A name for each word: its own where it can be."""
    identifiers: dict[str, str] = {}
    for word in sorted(words, key=lambda word: not NAME.fullmatch(word)):
        text = word if NAME.fullmatch(word) else _plain(word)
        while keyword.iskeyword(text) or text in RESERVED or text in identifiers.values():
            text += "_"
        identifiers[word] = text
    return identifiers


def _plain(word: str) -> str:
    """`wave length` -> wave_length; x before what doesn't begin with a letter then."""
    text = re.sub(r"[^A-Za-z0-9]+", "_", word).strip("_")
    return text if text[:1].isalpha() else f"x{text}"
