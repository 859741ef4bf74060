"""The digamma function, over abstract numbers: tensors, vectors or text."""

from math import pi
from typing import Any

SHIFT = 8  # the asymptotic series serves from here on: its first term left out is below 1e-16
BERNOULLI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


def digamma(x: Any, m: Any) -> Any:
    """d log|gamma(x)| / dx, to about 1e-15 of the larger of 1 and itself.

    -infinity at 0, infinity at -0, NaN at -1, -2, ... Below 0 by reflection, from there to SHIFT by
    recurrence, then by the asymptotic series (DLMF 5.5.2, 5.5.4, 5.11.2).

    `m` holds log, tan, round and where(mask, a, b) of numbers like x; a or b may be a plain one.

    >>> import math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.digamma import digamma
    >>> choose = lambda mask, a, b: a if mask else b
    >>> m = SimpleNamespace(log=math.log, tan=math.tan, round=round, where=choose)
    >>> round(digamma(1.0, m), 12), round(digamma(1.5, m), 12)
    (-0.577215664902, 0.036489973979)
    """
    reflected = x < 0.0
    y = m.where(reflected, 1 - x, x)
    beyond = m.where(y < SHIFT, y + SHIFT, y)
    value = _series(beyond, m) - m.where(y < SHIFT, _recurrence(m.where(y < SHIFT, y, 1.0)), 0.0)
    around = x - m.round(x)
    cotangent = pi / m.tan(pi * m.where(reflected, around, 0.25))
    return value - m.where(reflected, cotangent + 0.0 * cotangent, 0.0)  # infinity becomes NaN


def _series(x: Any, m: Any) -> Any:
    """log x - 1/(2x) - the sum of B_2k/(2k x^2k)."""
    inverse = 1 / x
    square = inverse * inverse
    total: Any = 0.0
    for coefficient in reversed(BERNOULLI):
        total = (total + coefficient) * square
    return m.log(x) - 0.5 * inverse - total


def _recurrence(x: Any) -> Any:
    """1/x + 1/(x + 1) + ... + 1/(x + SHIFT - 1), in pairs: one division."""
    above, below = 1.0, x
    for k in range(1, SHIFT):
        above, below = above * (x + k) + below, below * (x + k)
    return above / below
