"""Quotients that are smooth at 0, where they would be 0/0; over abstract numbers: tensors, vectors or text.

`m` holds the functions that a quotient is made of, and where(mask, a, b); a or b may be a plain number.
"""

from math import factorial, pi
from typing import Any

SMALL = 1e-4  # where x^2/16 more than 1/2 is all that j1(x)/x differs from it
SERIES = 0.25  # the sinc's slope is a series below
TERMS = 8


def j1_over_x(x: Any, m: Any) -> Any:
    """j1(x)/x, and 1/2 at 0.

    >>> from types import SimpleNamespace
    >>> import scipy.special
    >>> from packtrain.kernels.functions.near_zero import j1_over_x
    >>> m = SimpleNamespace(j1=scipy.special.j1, abs=abs, where=lambda mask, a, b: a if mask else b)
    >>> j1_over_x(0.0, m), j1_over_x(2.0, m) == scipy.special.j1(2) / 2
    (0.5, True)
    """
    small = m.abs(x) < SMALL
    other = m.where(small, 1.0, x)
    return m.where(small, 0.5 - x * x / 16, m.j1(other) / other)


def sinc_slope(x: Any, m: Any) -> Any:
    """(cos(pi x) - sin(pi x)/(pi x))/x, the slope of sin(pi x)/(pi x), and 0 at 0.

    >>> import math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.functions.near_zero import sinc_slope
    >>> m = SimpleNamespace(sin=math.sin, cos=math.cos, abs=abs, where=lambda mask, a, b: a if mask else b)
    >>> sinc_slope(0.0, m), sinc_slope(1.0, m)
    (-0.0, -1.0)
    """
    small = m.abs(x) < SERIES
    other = m.where(small, 1.0, x)
    turn = pi * other
    away = (m.cos(turn) - m.sin(turn) / turn) / other
    square = (pi * pi) * (x * x)
    total: Any = 0.0
    for k in range(TERMS, 0, -1):
        total = total * square + (-1) ** k * 2 * k / factorial(2 * k + 1)
    return m.where(small, (pi * pi) * x * total, away)
