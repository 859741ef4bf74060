"""Coefficients of trigonometric and special functions, as kernels/functions hold them.

    python -m scripts.special_coefficients sine_double

prints those of the row `sine_double` of TABLES; without a name all.
"""

import math
import sys
from collections.abc import Callable

from mpmath import cos, mpf, pi, sin, sqrt

from scripts.coefficients import minimax

QUARTER = (
    0.622  # (pi/4)^2 and a little more, since a multiple of pi/2 that is taken away may be the second nearest
)


def sine(x: mpf) -> mpf:
    """sin(r) = r + r^3 sine(r^2)."""
    return (sin(sqrt(x)) / sqrt(x) - 1) / x


def cosine(x: mpf) -> mpf:
    """cos(r) = 1 - r^2/2 + r^4 cosine(r^2)."""
    return (cos(sqrt(x)) - 1 + x / 2) / x**2


def half_turn_sine(x: mpf) -> mpf:
    """sin(pi r)/pi = r + r^3 half_turn_sine(r^2)."""
    return (sin(pi * sqrt(x)) / (pi * sqrt(x)) - 1) / x


def half_turn_cosine(x: mpf) -> mpf:
    """cos(pi r)/pi = 1/pi + r^2 half_turn_cosine(r^2)."""
    return (cos(pi * sqrt(x)) - 1) / (pi * x)


def sinc_slope(x: mpf) -> mpf:
    """(d/dr sinc(r)) = r sinc_slope(r^2)."""
    return (cos(pi * sqrt(x)) - sin(pi * sqrt(x)) / (pi * sqrt(x))) / x


TABLES: dict[str, Callable[[], tuple[list[float], float]]] = {
    "sine_double": lambda: minimax(sine, 0, QUARTER, 5, lambda x: x),
    "sine_float": lambda: minimax(sine, 0, QUARTER, 2, lambda x: x, "float"),
    "cosine_double": lambda: minimax(cosine, 0, QUARTER, 5, lambda x: x**2),
    "cosine_float": lambda: minimax(cosine, 0, QUARTER, 2, lambda x: x**2, "float"),
    "half_turn_sine": lambda: minimax(half_turn_sine, 0, 1 / 16, 5, lambda x: x),
    "half_turn_cosine": lambda: minimax(half_turn_cosine, 0, 1 / 16, 6, lambda x: x),
    "sinc_slope": lambda: minimax(sinc_slope, 0, 1 / 4, 8),
}


def main() -> None:
    """Prints the tables that are named, or all."""
    for name in sys.argv[1:] or TABLES:
        coefficients, error = TABLES[name]()
        print(f"{name}: largest error 2^{math.log2(error):.1f}")
        print("".join(f"    {c!r},\n" for c in coefficients))


if __name__ == "__main__":
    main()
