"""Coefficients of polynomials that come nearest to a function, as kernels/functions hold them.

    python -m scripts.coefficients exp_double

prints c[0] to c[degree] of the row `exp_double` of TABLES; without a name all. The largest error
|f(x) - c(x)| * weight(x) on the interval is the least possible (Remez), each coefficient rounded in turn from
c[0] on, and those after it made again. The weight 1/f (unless given) asks for the least relative error.
"""

import math
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

Function = Callable[[Any], Any]  # of numbers of mpmath
DIGITS = 60
ROUNDS = 30  # of Remez's exchange; a handful suffices


def minimax(
    f: Function, low: float, high: float, degree: int, weight: Function | None = None, kind: str = "double"
) -> tuple[list[float], float]:
    """The coefficients c[0] to c[degree], numbers of `kind` (double, float), and the largest weighted error.

    Where f can't be evaluated (0/0), it isn't looked at.

    >>> from scripts.coefficients import minimax
    >>> coefficients, error = minimax(lambda x: x**3, -1, 1, 2, weight=lambda x: 1)
    >>> [round(c, 9) + 0 for c in coefficients], round(error, 9)
    ([0.0, 0.75, 0.0], 0.25)
    """
    with mpmath.workdps(DIGITS):
        points = _points(low, high, 40 * (degree + 2))
        values = [f(x) for x in points]
        weights = [abs(weight(x) if weight else 1 / value) for x, value in zip(points, values, strict=True)]
        rest, coefficients = values, []
        for n in range(degree + 1):
            exact = _remez(points, rest, weights, degree - n)[0]
            coefficients.append(_rounded(exact, kind))
            rest = [(value - coefficients[-1]) / x for x, value in zip(points, rest, strict=True)]
            weights = [w * abs(x) for x, w in zip(points, weights, strict=True)]
        return coefficients, float(max(abs(r * w) for r, w in zip(rest, weights, strict=True)))


def pair(value: Callable[[], Any], kind: str = "double") -> tuple[float, float]:
    """The value as the nearest number of `kind` and what is left of it.

    >>> from scripts.coefficients import pair
    >>> import mpmath
    >>> pair(lambda: mpmath.log(2))
    (0.6931471805599453, 2.3190468138462996e-17)
    """
    with mpmath.workdps(DIGITS):
        high = _rounded(value(), kind)
        return high, _rounded(value() - high, kind)


def _points(low: float, high: float, count: int) -> list[Any]:
    """Chebyshev's, but for 0."""
    middle, half = mpmath.mpf(low + high) / 2, mpmath.mpf(high - low) / 2
    points = [middle - half * mpmath.cos(mpmath.pi * n / (count - 1)) for n in range(count)]
    return [x for x in points if abs(x) > half / count**2]


def _remez(points: list, values: list, weights: list, degree: int) -> list[Any]:
    """The coefficients whose largest weighted error at the points is least."""
    reference = [round(n * (len(points) - 1) / (degree + 1)) for n in range(degree + 2)]
    coefficients = []
    for _ in range(ROUNDS):
        *coefficients, level = _levelled(points, values, weights, reference)
        errors = [
            (value - mpmath.polyval(coefficients[::-1], x)) * w
            for x, value, w in zip(points, values, weights, strict=True)
        ]
        if max(map(abs, errors)) <= abs(level) * mpmath.mpf("1.0001"):
            break
        reference = _alternating(np.array(errors, dtype=object), degree + 2)
    return coefficients


def _levelled(points: list, values: list, weights: list, reference: list[int]) -> list[Any]:
    """The coefficients whose weighted errors at the reference are +e, -e, +e ...; and e."""
    rows = [
        [*(points[at] ** n for n in range(len(reference) - 1)), (-1) ** order / weights[at]]
        for order, at in enumerate(reference)
    ]
    return list(mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([values[at] for at in reference])))


def _alternating(errors: np.ndarray, count: int) -> list[int]:
    """Where the errors are largest, `count` times with alternating signs."""
    turns = [0, *(n for n in range(1, len(errors)) if (errors[n] > 0) != (errors[n - 1] > 0)), len(errors)]
    peaks = [max(range(a, b), key=lambda n: abs(errors[n])) for a, b in pairwise(turns)]
    while len(peaks) > count:
        sizes = [abs(errors[peak]) for peak in peaks]
        least = min(range(len(peaks)), key=sizes.__getitem__)
        if len(peaks) == count + 1 or least in (0, len(peaks) - 1):
            peaks.pop(0 if sizes[0] < sizes[-1] else -1)
        else:  # its neighbours have one sign: the larger one stays
            first = least if sizes[least + 1] < sizes[least - 1] else least - 1
            del peaks[first : first + 2]
    assert len(peaks) == count, "the interval has too few points, or the function is such a polynomial"
    return peaks


def _rounded(value: Any, kind: str) -> float:
    return float(np.float32(value)) if kind == "float" else float(value)


def _log_of_ratio(z: Any) -> Any:
    """log((1 + s)/(1 - s)) = 2s + s z p(z), z = s^2: p, as log's kernel has it."""
    s = mpmath.sqrt(z)
    return (mpmath.log((1 + s) / (1 - s)) / s - 2) / z


def _log1p_rest(f: Any) -> Any:
    """log(1 + f) = f + f^2 p(f): p."""
    return (mpmath.log1p(f) - f) / f**2


def _log2_of_ratio(z: Any) -> Any:
    """log2((1 + s)/(1 - s)) = s p(z), z = s^2: p."""
    s = mpmath.sqrt(z)
    return mpmath.log((1 + s) / (1 - s), 2) / s


def _log_of_ratio_rest(z: Any) -> Any:
    """log((1 + s)/(1 - s)) = 2/3 s (3 + z) (1 + z^2 p(z)), z = s^2: p."""
    s = mpmath.sqrt(z)
    return (mpmath.log((1 + s) / (1 - s)) * 1.5 / (s * (3 + z)) - 1) / z**2


def _atanh_rest(z: Any) -> Any:
    """atanh(s) = s + s z p(z), z = s^2: p."""
    s = mpmath.sqrt(z)
    return (mpmath.atanh(s) / s - 1) / z


def _sinh_rest(z: Any) -> Any:
    """sinh(x) = x + x z p(z), z = x^2: p."""
    x = mpmath.sqrt(z)
    return (mpmath.sinh(x) / x - 1) / z


def _tanh_rest(z: Any) -> Any:
    """tanh(x) = x + x z p(z), z = x^2: p."""
    x = mpmath.sqrt(z)
    return (mpmath.tanh(x) / x - 1) / z


TABLES: dict[str, Callable[[], tuple[list[float], float]]] = {
    "exp_double": lambda: minimax(mpmath.exp, -0.347, 0.347, 11),
    "exp_float": lambda: minimax(mpmath.exp, -0.347, 0.347, 6, kind="float"),
    "tanh_double": lambda: minimax(_tanh_rest, 0, 0.625**2, 10, lambda z: z),
    "tanh_float": lambda: minimax(_tanh_rest, 0, 0.625**2, 4, lambda z: z, kind="float"),
    "exp2_double": lambda: minimax(lambda x: mpmath.mpf(2) ** x, -0.501, 0.501, 11),
    "exp2_float": lambda: minimax(lambda x: mpmath.mpf(2) ** x, -0.501, 0.501, 6, kind="float"),
    "log2_float": lambda: minimax(_log2_of_ratio, 0, 0.0295, 4),
    "log_rest_double": lambda: minimax(_log_of_ratio_rest, 0, 0.0295, 6, lambda z: z**2),
    "exp_of_twice_double": lambda: minimax(lambda x: mpmath.exp(2 * x), -0.1735, 0.1735, 11),
    "exp_of_twice_float": lambda: minimax(lambda x: mpmath.exp(2 * x), -0.1735, 0.1735, 5, kind="float"),
    "sinh_double": lambda: minimax(_sinh_rest, 0, 1, 6, lambda z: z),
    "sinh_float": lambda: minimax(_sinh_rest, 0, 1, 2, lambda z: z, kind="float"),
    "atanh_double": lambda: minimax(_atanh_rest, 0, 0.0402, 7, lambda z: z),
    "atanh_float": lambda: minimax(_atanh_rest, 0, 0.0402, 2, lambda z: z, kind="float"),
    "cbrt": lambda: minimax(lambda m: 1 / mpmath.cbrt(m), 0.7071, 1.4143, 4, kind="float"),
    "log_double": lambda: minimax(_log_of_ratio, 0, 0.0295, 6, lambda z: z),
    "log_float": lambda: minimax(_log1p_rest, -0.293, 0.4143, 8, lambda f: f, kind="float"),
}


def main() -> None:
    """Prints the tables that are named, or all."""
    for name in sys.argv[1:] or TABLES:
        coefficients, error = TABLES[name]()
        print(f"{name}: largest error 2^{math.log2(error):.1f}")
        print("\n".join(f"    {c!r}," for c in coefficients))


if __name__ == "__main__":
    main()
