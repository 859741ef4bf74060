"""Powers and roots, within 2 ulp."""

import math

from .arithmetic import (
    Pair,
    clamped,
    fast_two_sum,
    nearest,
    pair_times_pair,
    polynomial,
    split,
    times_power_of_two,
    two_product,
)
from .vector import Vector, absolute, copysign, floor, fma, where

# From python -m scripts.coefficients
EXP2 = [  # exp2_double
    1.0,
    0.6931471805599453,
    0.2402265069591011,
    0.055504108664821736,
    0.009618129107600584,
    0.0013333558146543145,
    0.0001540353045029502,
    1.5252733637238123e-05,
    1.3215438205697553e-06,
    1.0178158425185772e-07,
    7.073343018153618e-09,
    4.4391626713860797e-10,
]
LOG_REST = [  # log_rest_double
    0.20000000000001145,
    0.14285714285041382,
    0.1111111126153406,
    0.09090892040173638,
    0.07693385515764213,
    0.06628244087678067,
    0.06599739260964405,
]
TWO_OVER_LN2 = (2.8853900817779268, 4.0710547481862066e-17)
THIRD = (0.3333333333333333, 1.850371707708594e-17)


def pow(x: Vector, y: Vector) -> Vector:
    """x^y."""
    size = absolute(x)
    power = exp2_of_product(clamped(y, -(2.0**80), 2.0**80), log2_pair(size))
    at_end = where(y < 0, where(size == 0, size.number(math.inf), 0), size)
    power = where((size == 0) | (size == math.inf), at_end, power)
    whole, half = floor(y) == y, y * 0.5
    power = copysign(power, where(whole & (floor(half) != half), x, 1))
    power = where(((x < 0) & (x > -math.inf) & ~whole) | (x.is_nan() | y.is_nan()), math.nan, power)
    return where((y == 0) | (x == 1), 1, power)


def exp2_of_product(y: Vector, log: Pair) -> Vector:
    """2^(y*(high + low))."""
    high, low = two_product(y, log[0])
    low = where(absolute(high) > 1100.0, 0, fma(y, log[1], low))
    high = clamped(high, -1100.0, 1100.0)
    n, shifted = nearest(high)
    return times_power_of_two(polynomial((high - n) + low, EXP2), shifted.bits())


def log2_pair(x: Vector) -> Pair:
    """log2(x) for positive, finite x, with a relative error of 2^-64.

    s = (m - 1)/(m + 1) to log2(m) = 2/log(2) s (1 + s^2/3 + s^4/5 ...).
    """
    m, k = split(x)
    s = _ratio(m)
    u = pair_times_pair(s, s)
    high, low = pair_times_pair(s, _constant(x, TWO_OVER_LN2))
    w = pair_times_pair(u, _constant(x, THIRD))
    w = w[0], fma(u[0] * u[0], polynomial(u[0], LOG_REST), w[1])
    more, rest = pair_times_pair((high, low), w)
    total, a = fast_two_sum(k, high)
    total, b = fast_two_sum(total, more)
    return fast_two_sum(total, (a + b) + (low + rest))


def _ratio(m: Vector) -> Pair:
    """(m - 1)/(m + 1)."""
    f, d = m - 1, m + 1
    d_low = m - (d - 1)
    reciprocal = 1 / d
    s = f * reciprocal
    return s, fma(-s, d_low, fma(-s, d, f)) * reciprocal


def _constant(x: Vector, pair: tuple[float, float]) -> Pair:
    return x.number(pair[0]), x.number(pair[1])
