"""An activation -> the Triton source text of its value and slope."""

import re
from functools import cache

from ..equations.activations import ACTIVATIONS, Activation, Z, activation_of
from ..expression.statements import BOTH, NOTHING, indented, statements
from ..expression.triton_source import alive
from ..expression.triton_table import NUMBER, TRITON

FUNCTIONS = '''
@triton.jit
def activated(z):
    """f(z) and f'(z) of numbers in float32 or float64."""
    dtype: tl.constexpr = z.dtype
    one = tl.full((), 1.0, dtype)
{lines}
    return {value}, {slope}


@triton.jit
def passed_back(da, slope):
    """dz = da f'(z), rounded: fused with a sum, threads that sum in another order would differ."""
    return {product}
'''

PRODUCTS = {"mul": "tl.fma(da, slope, tl.zeros_like(da))", "gate": TRITON["gate"]("da", "slope")}


def functions(activation: Activation) -> str:
    """The functions activated(z) and passed_back(da, slope), of a module that imports what HEADER does.

    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.activation.triton_source import functions
    >>> "v1 = libdevice.tanh(z)" in functions(activation_of("tanh"))
    True
    """
    constants, lines, value, slope = _written(activation)
    return FUNCTIONS.format(
        lines=indented([*constants, *lines], 1),
        value=value,
        slope=slope,
        product=PRODUCTS[activation.product],
    )


def registers(activation: Activation) -> int | None:
    """How many values activated(z) has at once; None where it calls what no row of ACTIVATIONS does.

    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.activation.triton_source import registers
    >>> [registers(activation_of(text)) for text in ("tanh", "gelu", "lgamma(z)")]
    [2, 4, None]
    """
    constants, lines, *_ = _written(activation)
    named = {line.partition(" ")[0] for line in constants}
    values = [re.sub(r"\bv\d+\b", lambda word: "" if word[0] in named else word[0], line) for line in lines]
    return alive(values) if _calls(activation) <= _known_calls() else None


def _written(activation: Activation) -> tuple[list[str], list[str], str, str]:
    """The lines of constants, those of values, and the texts of value and slope."""
    texts, levels = {Z: "z"}, {Z: BOTH}
    constants, *_, lines = statements(activation.program, texts, levels, TRITON, NUMBER)
    slope = texts[activation.slope]
    if levels[activation.slope] == NOTHING:
        slope = f"tl.zeros_like(z) + {slope}"
    return constants, lines, texts[activation.value], slope


def _calls(activation: Activation) -> set[str]:
    return set(re.findall(r"[\w.]+(?=\()", " ".join(_written(activation)[1])))


@cache
def _known_calls() -> set[str]:
    return set().union(*(_calls(activation_of(name)) for name in ACTIVATIONS))
