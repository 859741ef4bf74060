"""How far functions of vectors are from mpmath's values, in units in the last place."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from packtrain.kernels.functions.arrays import of_arrays

Exact = Callable[..., Any]  # of mpmath's numbers, which have no types
DIGITS = 50


def ulps(computed: np.ndarray, function: Exact, *arguments: np.ndarray) -> np.ndarray:
    """|computed - function(*arguments)| of each element, in ulp of the exact value: infinite where only one
    is an infinite number, once it is rounded."""
    kind = computed.dtype.type
    with mpmath.workdps(DIGITS):
        rows = zip(computed.tolist(), *(argument.tolist() for argument in arguments), strict=True)
        return np.array([_error(y, function(*map(mpmath.mpf, row)), kind) for y, *row in rows])


def _error(y: float, exact: Any, kind: type) -> float:
    rounded = kind(float(exact))
    if not (np.isfinite(y) and np.isfinite(rounded)):
        return 0.0 if y == rounded else np.inf
    return float(abs(y - exact) / mpmath.mpf(float(np.spacing(abs(rounded)))))


def worst(function: Callable, exact: Exact, *arguments: np.ndarray) -> float:
    """The largest error of a function of vectors at the arguments, in ulp; where it is is printed."""
    with np.errstate(over="ignore"):
        errors = ulps(of_arrays(function, *arguments), exact, *arguments)
    at = int(np.argmax(errors))
    print(f"{errors[at]:.3f} ulp at {[float(argument[at]).hex() for argument in arguments]}")
    return float(errors[at])
