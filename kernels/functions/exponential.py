"""exp."""

import math

from .vector import Vector, fma, rint, where

LOG2_E = 1 / math.log(2)
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
TAYLOR = [1 / math.factorial(n) for n in range(2, 14)]


def horner(x, coefficients):
    value = x.number(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value = fma(value, x, c)
    return value


def scale(y, n):
    """y * 2^n in two halves"""
    i = n.to("i64")
    half = i >> 1
    a = ((half + 1023) << 52).as_floats("double")
    b = ((i - half + 1023) << 52).as_floats("double")
    return y * a * b


def exp(x: Vector) -> Vector:
    """e^x."""
    if x.kind == "float":
        return exp(x.to("double")).to("float")
    n = rint(x * LOG2_E)
    n = where(n > 1100.0, 1100.0, where(n < -1100.0, -1100.0, n))
    r = fma(n, -LN2_HIGH, x)
    r = fma(n, -LN2_LOW, r)
    q = horner(r, TAYLOR)
    y = fma(r * r, q, r) + 1.0
    y = scale(y, n)
    y = where(x > 709.79, math.inf, y)
    y = where(x < -745.14, 0.0, y)
    return y
