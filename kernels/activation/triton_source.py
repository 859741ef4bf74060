"""An activation -> the Triton source text of its value and slope."""

from ..equations.activations import Activation, Z
from ..expression.statements import BOTH, NOTHING, indented, statements
from ..expression.triton_source import NUMBER, TRITON

HEADER = '''"""Generated from an activation; the file is named after this text."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

'''

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
    """dz = da f'(z)."""
    return {product}
'''


def functions(activation: Activation) -> str:
    """The functions activated(z) and passed_back(da, slope), for a module that imports what HEADER does.

    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.activation.triton_source import functions
    >>> "v1 = libdevice.tanh(z)" in functions(activation_of("tanh"))
    True
    """
    texts, levels = {Z: "z"}, {Z: BOTH}
    constants, *_, lines = statements(activation.program, texts, levels, TRITON, NUMBER)
    slope = texts[activation.slope]
    return FUNCTIONS.format(
        lines=indented([*constants, *lines], 1),
        value=texts[activation.value],
        slope=f"tl.zeros_like(z) + {slope}" if levels[activation.slope] == NOTHING else slope,
        product=TRITON[activation.product]("da", "slope"),
    )
