"""Logarithms, within 2 ulp."""

import math

from .arithmetic import LN2, polynomial, split, times_power_of_two
from .exponential import exp_of_minus
from .vector import Vector, fma, where

# From python -m scripts.coefficients
LOG = [  # log_double
    0.6666666666666735,
    0.39999999999408564,
    0.2857142874397707,
    0.22222198390172407,
    0.18183574755881454,
    0.15313762253498864,
    0.14799033897462496,
]
LOG_FLOAT = [  # log_float
    -0.49999988079071045,
    0.33333322405815125,
    -0.250015527009964,
    0.20002441108226776,
    -0.1661054939031601,
    0.14171387255191803,
    -0.13218460977077484,
    0.12967950105667114,
    -0.07764563709497452,
]


def log(x: Vector) -> Vector:
    """log(x)."""
    m, k = split(x)
    f = m - 1
    high, low = LN2[x.kind]
    small = f + fma(k, low, log1p_rest(f))
    return _at_ends(x, fma(k, high, small))


def softplus(x: Vector) -> Vector:
    """log(1 + e^x)."""
    y, y_low, n = exp_of_minus(x)
    t, t_low = (times_power_of_two(part, -n.bits()) for part in (y, y_low))
    large = t > math.sqrt(2) - 1
    f, f_low = where(large, fma(t, 0.5, -0.5), t), where(large, t_low * 0.5, t_low)
    high, low = (where(large, x.number(part), 0) for part in LN2[x.kind])
    return where(x > 0, x, 0) + (high + (f + (f_low + (low + log1p_rest(f)))))


def log1p_rest(f: Vector) -> Vector:
    """log(1 + f) - f for sqrt(1/2) <= 1 + f <= sqrt(2); its error is far below an ulp of f."""
    if f.kind == "float":
        return f * f * polynomial(f, LOG_FLOAT)
    s = f / (f + 2)
    z, square = s * s, f * f * 0.5
    return fma(s, fma(z, polynomial(z, LOG), square), -square)


def _at_ends(x: Vector, y: Vector) -> Vector:
    """y, a logarithm of x, but where x is not positive or not finite."""
    y = where(x < math.inf, y, x)
    return where(x > 0, y, where(x == 0, y.number(-math.inf), math.nan))
