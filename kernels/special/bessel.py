"""Bessel functions of the first kind, over abstract numbers: tensors, vectors or text.

Below FAR by the midpoint rule for Bessel's integral, in which few nodes give all digits, from there on by
Hankel's series (DLMF 10.9.1 and 10.17.3). `m` holds sin, cos, sqrt, abs and where(mask, a, b) of numbers like
x; a or b may be a plain one.
"""

from math import cos, pi
from typing import Any

FAR = 25.0
NODES = [cos((k + 0.5) * pi / 30) for k in range(15)]
TERMS = 20  # of Hankel's series, half of them P's and half of them Q's
SMALL = 1e-4  # j1(x)/x is 1/2 - x^2/16 below, to every digit


def j0(x: Any, m: Any) -> Any:
    """J_0(x), with an absolute error of about 1e-16.

    >>> import math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.bessel import j0
    >>> choose = lambda mask, a, b: a if mask else b
    >>> m = SimpleNamespace(sin=math.sin, cos=math.cos, sqrt=math.sqrt, abs=abs, where=choose)
    >>> round(j0(1.0, m), 12), round(j0(100.0, m), 12)
    (0.765197686558, 0.019985850304)
    """
    size = m.abs(x)
    near, far = m.where(size < FAR, size, 0.0), m.where(size < FAR, FAR, size)
    total: Any = 0.0
    for node in NODES:
        total = total + m.cos(node * near)
    sine, cosine, p, q, scale = _hankel(far, 0, m)
    return m.where(size < FAR, total / len(NODES), scale * (p * (cosine + sine) - q * (sine - cosine)))


def j1(x: Any, m: Any) -> Any:
    """J_1(x), with an absolute error of about 1e-16.

    >>> import math
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.bessel import j1
    >>> choose = lambda mask, a, b: a if mask else b
    >>> m = SimpleNamespace(sin=math.sin, cos=math.cos, sqrt=math.sqrt, abs=abs, where=choose)
    >>> round(j1(1.0, m), 12), round(j1(-100.0, m), 12)
    (0.440050585745, 0.077145352014)
    """
    size = m.abs(x)
    near, far = m.where(size < FAR, x, 0.0), m.where(size < FAR, FAR, size)
    total: Any = 0.0
    for node in NODES:
        total = total + node * m.sin(node * near)
    sine, cosine, p, q, scale = _hankel(far, 1, m)
    beyond = scale * (p * (sine - cosine) + q * (sine + cosine))
    return m.where(size < FAR, total / len(NODES), m.where(x < 0.0, -beyond, beyond))


def j1_over_x(x: Any, m: Any) -> Any:
    """J_1(x)/x, and 1/2 at 0, by m.j1.

    >>> import scipy.special
    >>> from types import SimpleNamespace
    >>> from packtrain.kernels.special.bessel import j1_over_x
    >>> m = SimpleNamespace(j1=scipy.special.j1, abs=abs, where=lambda mask, a, b: a if mask else b)
    >>> j1_over_x(0.0, m), round(float(j1_over_x(2.0, m)), 12)
    (0.5, 0.288362403878)
    """
    small = m.abs(x) < SMALL
    other = m.where(small, 1.0, x)
    return m.where(small, 0.5 - x * x / 16, m.j1(other) / other)


def _hankel(x: Any, order: int, m: Any) -> tuple[Any, Any, Any, Any, Any]:
    """sin x, cos x, Hankel's P and Q, and 1/sqrt(pi x)."""
    inverse = 1 / x
    square = inverse * inverse
    coefficients = _coefficients(order)
    p, q = (_polynomial(coefficients[start::2], square) for start in (0, 1))
    return m.sin(x), m.cos(x), p, q * inverse, m.sqrt(inverse / pi)


def _coefficients(order: int) -> list[float]:
    """a_k with the signs of P and Q: a_0, a_1, -a_2, -a_3, a_4, ..."""
    terms = [1.0]
    for k in range(1, TERMS):
        terms.append(terms[-1] * (4 * order**2 - (2 * k - 1) ** 2) / (8 * k))
    return [-term if k % 4 > 1 else term for k, term in enumerate(terms)]


def _polynomial(coefficients: list[float], x: Any) -> Any:
    total: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total
