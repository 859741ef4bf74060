"""Coefficients of trigonometric and special functions, as kernels/functions hold them.

    python -m scripts.special_coefficients sine_double

prints those of the row `sine_double` of TABLES; without a name all.
"""

import math
import sys
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import mpmath
import numpy as np
from mpmath import (
    asin,
    atan,
    besselj,
    besseljzero,
    bessely,
    cos,
    digamma,
    erf,
    erfc,
    exp,
    findroot,
    loggamma,
    mpf,
    pi,
    sin,
    sqrt,
)

from scripts.coefficients import DIGITS, Function, minimax

Number = Any  # mpmath's: it has no types
QUARTER = (
    0.622  # (pi/4)^2 and a little more, since a multiple of pi/2 that is taken away may be the second nearest
)


def sine(x: Number) -> Number:
    """sin(r) = r + r^3 sine(r^2)."""
    return (sin(sqrt(x)) / sqrt(x) - 1) / x


def cosine(x: Number) -> Number:
    """cos(r) = 1 - r^2/2 + r^4 cosine(r^2)."""
    return (cos(sqrt(x)) - 1 + x / 2) / x**2


def half_turn_sine(x: Number) -> Number:
    """sin(pi r)/pi = r + r^3 half_turn_sine(r^2)."""
    return (sin(pi * sqrt(x)) / (pi * sqrt(x)) - 1) / x


def half_turn_cosine(x: Number) -> Number:
    """cos(pi r)/pi = 1/pi + r^2 half_turn_cosine(r^2)."""
    return (cos(pi * sqrt(x)) - 1) / (pi * x)


def sinc_slope(x: Number) -> Number:
    """(d/dr sinc(r)) = r sinc_slope(r^2)."""
    return (cos(pi * sqrt(x)) - sin(pi * sqrt(x)) / (pi * sqrt(x))) / x


def arc_tangent(x: Number) -> Number:
    """atan(t) = t + t^3 arc_tangent(t^2)."""
    return (atan(sqrt(x)) / sqrt(x) - 1) / x


def arc_sine(x: Number) -> Number:
    """asin(s) = s + s^3 arc_sine(s^2)."""
    return (asin(sqrt(x)) / sqrt(x) - 1) / x


def erf_near(x: Number) -> Number:
    """erf(r) = r + r erf_near(r^2)."""
    return erf(sqrt(x)) / sqrt(x) - 1


def erf_far(x: Number) -> Number:
    """erf(x + 2) = 1 - exp(-(x + 2)^2) erf_far(x)."""
    return erfc(x + 2) * exp((x + 2) ** 2)


def _weight_far(x: Number) -> Number:
    return exp(-((x + 2) ** 2)) / erf(x + 2)


def scaled_complement(q: Number) -> Number:
    """(x + 1/2) erfcx(x), where q = (x - 4)/(x + 4)."""
    x = 4 * (1 + q) / (1 - q)
    return (x + mpf(1) / 2) * erfc(x) * exp(x**2)


def log_gamma(q: Number) -> Number:
    """log Gamma(1 + t) = t (t - 1) log_gamma(t - 3/4)."""
    t = q + mpf(3) / 4
    return loggamma(1 + t) / (t * (t - 1))


def psi_over_distance(q: Number) -> Number:
    """psi(1 + t) = (1 + t - its zero) psi_over_distance(t - 3/4)."""
    z = q + mpf(7) / 4
    return digamma(z) / (z - findroot(digamma, 1.46))


def bessel_middle(n: int) -> Function:
    """J0(x) or J1(x)/x, n = 0 or 1, over x^2 - z^2 for its first three zeros, of x^2/32 - 1."""
    with mpmath.workdps(DIGITS):
        squares = [besseljzero(n, k) ** 2 for k in (1, 2, 3)]

    def rest(q: Number) -> Number:
        square = 32 * (q + 1)
        y = besselj(n, sqrt(square)) / sqrt(square) ** n
        return y / math.prod(square - z for z in squares)

    return rest


def bessel_far(n: int) -> tuple[Function, Function]:
    """p and q of Jn(x) = sqrt(2/(pi x)) (p cos(c) - q/x sin(c)), c = x - (2n + 1) pi/4, of 98/x^2 - 1."""

    def parts(q: Number) -> tuple[Number, Number]:
        x = sqrt(98 / (q + 1))
        c, j, y = x - (2 * n + 1) * pi / 4, besselj(n, x), bessely(n, x)
        size = sqrt(pi * x / 2)
        return size * (j * cos(c) + y * sin(c)), size * x * (y * cos(c) - j * sin(c))

    return lambda q: parts(q)[0], lambda q: parts(q)[1]


def chebyshev(f: Function, degree: int, half: float = 1, kind: str = "double") -> tuple[list[float], float]:
    """The coefficients of x^0, x^1, ... of f's Chebyshev series in [-half, half] up to `degree`, the first as
    a pair; and how much the series leaves out."""
    rounded = np.float32 if kind == "float" else float
    with mpmath.workdps(DIGITS):
        n = 2 * degree + 2
        angles = [pi * (k + mpf(1) / 2) / n for k in range(n)]
        values = [f(half * cos(angle)) for angle in angles]
        series = [2 * sum(y * cos(k * a) for y, a in zip(values, angles, strict=True)) / n for k in range(n)]
        series[0] /= 2
        exact = [c / mpf(half) ** k for k, c in enumerate(_powers(series[: degree + 1]))]
        first, left_out = float(rounded(exact[0])), sum(map(abs, series[degree + 1 :]))
        rest = [exact[0] - first, *exact[1:]]
        return [first, *(float(rounded(c)) for c in rest)], float(left_out)


def _powers(series: list[Number]) -> list[Number]:
    """The coefficients of x^0, x^1, ... of a Chebyshev series."""
    before, polynomial = [mpf(1)], [mpf(0), mpf(1)]
    total = [mpf(0)] * len(series)
    for c in series:
        total = [a + c * b for a, b in zip_longest(total, before, fillvalue=0)]
        following = [2 * b for b in [mpf(0), *polynomial]]
        following = [a - b for a, b in zip_longest(following, before, fillvalue=0)]
        before, polynomial = polynomial, following
    return total


TABLES: dict[str, Callable[[], tuple[list[float], float]]] = {
    "sine_double": lambda: minimax(sine, 0, QUARTER, 5, lambda x: x),
    "sine_float": lambda: minimax(sine, 0, QUARTER, 2, lambda x: x, "float"),
    "cosine_double": lambda: minimax(cosine, 0, QUARTER, 5, lambda x: x**2),
    "cosine_float": lambda: minimax(cosine, 0, QUARTER, 2, lambda x: x**2, "float"),
    "half_turn_sine": lambda: minimax(half_turn_sine, 0, 1 / 16, 5, lambda x: x),
    "half_turn_cosine": lambda: minimax(half_turn_cosine, 0, 1 / 16, 6, lambda x: x),
    "sinc_slope": lambda: minimax(sinc_slope, 0, 1 / 4, 8),
    "arc_tangent_double": lambda: minimax(arc_tangent, 0.01, 1, 18, lambda x: x),
    "arc_tangent_float": lambda: minimax(arc_tangent, 0.01, 1, 7, lambda x: x, "float"),
    "arc_sine_double": lambda: minimax(arc_sine, 0.002, 1 / 4, 11, lambda x: x),
    "arc_sine_float": lambda: minimax(arc_sine, 0.002, 1 / 4, 4, lambda x: x, "float"),
    "erf_near_double": lambda: minimax(erf_near, 0, 1, 11, lambda x: 1 / (1 + erf_near(x))),
    "erf_near_float": lambda: minimax(erf_near, 0, 1, 6, lambda x: 1 / (1 + erf_near(x)), "float"),
    "erf_far_double": lambda: minimax(erf_far, -1, 3.95, 21, _weight_far),
    "erf_far_float": lambda: minimax(erf_far, -1, 1.95, 8, _weight_far, "float"),
    "scaled_complement_double": lambda: chebyshev(scaled_complement, 24),
    "scaled_complement_float": lambda: chebyshev(scaled_complement, 12, 1, "float"),
    "log_gamma": lambda: chebyshev(log_gamma, 24, 0.75),
    "psi_over_distance": lambda: chebyshev(psi_over_distance, 26, 0.75),
    "j0_middle": lambda: chebyshev(bessel_middle(0), 13),
    "j1_middle": lambda: chebyshev(bessel_middle(1), 13),
    "j0_p": lambda: chebyshev(bessel_far(0)[0], 13),
    "j0_q": lambda: chebyshev(bessel_far(0)[1], 13),
    "j1_p": lambda: chebyshev(bessel_far(1)[0], 13),
    "j1_q": lambda: chebyshev(bessel_far(1)[1], 13),
}


def main() -> None:
    """Prints the tables that are named, or all."""
    for name in sys.argv[1:] or TABLES:
        coefficients, error = TABLES[name]()
        print(f"{name}: largest error 2^{math.log2(error):.1f}")
        print("".join(f"    {c!r},\n" for c in coefficients))


if __name__ == "__main__":
    main()
