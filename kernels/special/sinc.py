"""The slope of sin(pi x)/(pi x), over abstract numbers: tensors, vectors or text."""

from math import factorial, pi
from typing import Any

SMALL = 0.25  # below, where the difference would lose digits, it is a series
TERMS = 8


def sinc_slope(x: Any, m: Any) -> Any:
    """(cos(pi x) - sin(pi x)/(pi x))/x, the slope of sin(pi x)/(pi x), and 0 at 0.

    `m` holds sin, cos, abs and where(mask, a, b) of numbers like x; a or b may be a plain one.

    >>> import math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.sinc import sinc_slope
    >>> m = SimpleNamespace(sin=math.sin, cos=math.cos, abs=abs, where=lambda mask, a, b: a if mask else b)
    >>> sinc_slope(0.0, m), sinc_slope(1.0, m)
    (-0.0, -1.0)
    """
    small = m.abs(x) < SMALL
    other = m.where(small, 1.0, x)
    turn = pi * other
    away = (m.cos(turn) - m.sin(turn) / turn) / other
    square = (pi * pi) * (x * x)
    total: Any = 0.0
    for k in range(TERMS, 0, -1):
        total = total * square + (-1) ** k * 2 * k / factorial(2 * k + 1)
    return m.where(small, (pi * pi) * x * total, away)
