"""Hyperbolic functions, within 2 ulp."""

from .arithmetic import (
    LN2,
    clamped,
    fast_two_sum,
    format_of,
    polynomial,
    power_of_two,
    times_power_of_two,
    two_sum,
)
from .exponential import EXP, RANGE, add_exp_rest, inverse_power, reduced
from .logarithm import log1p_of_pair
from .vector import Vector, absolute, copysign, fma, sqrt, where

# From python -m scripts.coefficients
TANH = {
    "double": [  # tanh_double
        -0.33333333333332876,
        0.13333333333264683,
        -0.053968253932373485,
        0.021869487599465713,
        -0.00886322128648141,
        0.003591991306089267,
        -0.0014549691164513863,
        0.0005863480258212758,
        -0.00022862420932705994,
        7.72088814864479e-05,
        -1.610249326525579e-05,
    ],
    "float": [  # tanh_float
        -0.3333328366279602,
        0.1333148330450058,
        -0.053742773830890656,
        0.020648062229156494,
        -0.005714063066989183,
    ],
}
ATANH = {
    "double": [  # atanh_double
        0.333333333333333,
        0.2000000000002854,
        0.14285714277842126,
        0.11111112157883028,
        0.09090832303614307,
        0.07695577916468971,
        0.06586416206664789,
        0.06924187667027606,
    ],
    "float": [  # atanh_float
        0.333334743976593,
        0.1997879445552826,
        0.1518334448337555,
    ],
}
SMALL = 0.625  # from here on tanh is found from e^2x, below by TANH
ONE = {"double": 20.0, "float": 10.0}  # from here on tanh is 1

LARGE = 2.0**30  # from here on 1 is lost beside t^2, and log(1 + t) is log(t)


def tanh(x: Vector) -> Vector:
    """tanh(x)."""
    size, z = absolute(x), x * x
    small = fma(x * z, polynomial(z, TANH[x.kind]), x)
    r, n = reduced(where(size > ONE[x.kind], ONE[x.kind], size) * 2)
    e = polynomial(r, EXP[x.kind]) * power_of_two(n.bits(), x.kind)
    return copysign(where(size < SMALL, small, 1 - 2 / (e + 1)), x)


def sinh(x: Vector) -> Vector:
    """sinh(x) = (u + u/(u + 1))/2, u = e^|x| - 1."""
    r, n = reduced(_in_range(x))
    c = inverse_power(n)
    u = add_exp_rest(r + (1 - c), r)
    return copysign(times_power_of_two(fma(c, u / (u + c), u), n.bits() - 1), x)


def cosh(x: Vector) -> Vector:
    """cosh(x) = (e^|x| + e^-|x|)/2."""
    r, n = reduced(_in_range(x))
    c, y = inverse_power(n), polynomial(r, EXP[x.kind])
    return times_power_of_two(y + c * c / y, n.bits() - 1)


def asinh(x: Vector) -> Vector:
    """asinh(x) = log(1 + p), p = t + t^2/(1 + sqrt(1 + t^2)), t = |x|."""
    t = absolute(x)
    square = t * t
    p, p_low = fast_two_sum(t, square / (sqrt(square + 1) + 1))
    y = _log1p_or_log_of_twice(t, p, p_low)
    return copysign(where(t < format_of(x).least, t, y), x)


def acosh(x: Vector) -> Vector:
    """acosh(x) = log(1 + p), p = d + sqrt(d^2 + 2 d), d = x - 1."""
    d = x - 1
    root = sqrt(fma(d, d, d * 2))
    p, p_low = two_sum(root, d)
    return where(x < 1, math.nan, _log1p_or_log_of_twice(x, p, p_low))


def atanh(x: Vector) -> Vector:
    """atanh(x) = k log(2)/2 + atanh(s), s = (1 + t - 2^k (1 - t))/(1 + t + 2^k (1 - t)), t = |x|."""
    t, form = absolute(x), format_of(x)
    k = ((t + 1).bits() - (1 - t).bits() + (1 << (form.fraction - 1))) >> form.fraction
    power = power_of_two(k, x.kind)
    s = fma(t, power + 1, 1 - power) / fma(t, 1 - power, power + 1)
    z = s * s
    high, low = (0.5 * part for part in LN2[x.kind])
    k = k.to(x.kind)
    y = fma(k, high, s + fma(k, low, s * z * polynomial(z, ATANH[x.kind])))
    return copysign(where(t < 1, y, where(t == 1, y.number(math.inf), math.nan)), x)


def _in_range(x: Vector) -> Vector:
    return clamped(absolute(x), 0, RANGE[x.kind][1] + 1)


def _log1p_or_log_of_twice(t: Vector, p: Vector, p_low: Vector) -> Vector:
    """log(1 + p + p_low), or log(2 t) where t is so large that t^2 may overflow."""
    large = t > LARGE
    y = log1p_of_pair(where(large, t, p), where(large, 0, p_low))
    return y + where(large, y.number(math.log(2)), 0)
