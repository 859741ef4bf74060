"""Trigonometric functions against mpmath: everywhere, at special values, next to multiples of pi/2."""

from typing import Any

import mpmath
import numpy as np
import pytest

from packtrain.kernels.functions.arrays import of_arrays
from packtrain.kernels.functions.circular import LIMIT, cos, sin, tan
from packtrain.kernels.functions.inverse_circular import acos, asin, atan, atan2
from packtrain.kernels.functions.sinc import sinc, sinc_slope

from .rows import TYPES, Row
from .ulps import ulps


def exact_sinc_slope(x: Any) -> Any:
    """The derivative of sinc, near 0 by the first term of its series."""
    if abs(x) < 1e-12:
        return -(mpmath.pi**2) / 3 * x
    with mpmath.extradps(30):
        return (mpmath.cospi(x) - mpmath.sincpi(x)) / x


ROWS = {
    "sin": Row(sin, mpmath.sin, 1.6),
    "cos": Row(cos, mpmath.cos, 1.6),
    "tan": Row(tan, mpmath.tan, 1.3),
    "asin": Row(asin, mpmath.asin, 1.5, low=-1, high=1),
    "acos": Row(acos, mpmath.acos, 1.3, low=-1, high=1),
    "atan": Row(atan, mpmath.atan, 1.6),
    "sinc": Row(sinc, mpmath.sincpi, 1.8),
    "sinc_slope": Row(sinc_slope, exact_sinc_slope, 1.6, low=-0.5, high=0.5),
}
ATAN2 = Row(atan2, mpmath.atan2, 1.6)
OF_ANGLES = ["sin", "cos", "tan"]
kinds = pytest.mark.parametrize("kind", TYPES)


@pytest.mark.parametrize("name", OF_ANGLES)
@kinds
def test_next_to_multiples_and_around_the_limit(name: str, kind: str) -> None:
    limit = LIMIT[kind]
    multiples = np.float64(mpmath.pi / 2) * np.round(10.0 ** np.linspace(0, np.log10(limit) - 0.2, 600))
    around = np.linspace(0.9 * limit, 1.1 * limit, 100)
    ROWS[name].check(np.concatenate([multiples, around]).astype(TYPES[kind]))


@kinds
def test_two_in_one_loop_each_with_its_branch(kind: str) -> None:
    x = ROWS["sin"].arguments(kind)
    both = of_arrays(lambda x: sin(x) * cos(x), x)
    np.testing.assert_array_equal(both, of_arrays(sin, x) * of_arrays(cos, x))


@kinds
@pytest.mark.parametrize("name", ["sin", "tan"])
def test_odd_functions_at_special_values(name: str, kind: str) -> None:
    tiny = float(np.finfo(TYPES[kind]).smallest_subnormal)
    x = (0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.nan)
    y = ROWS[name].values(kind, *x)
    np.testing.assert_array_equal(y, [*x[:4], *[np.nan] * 3])
    assert np.signbit(y[:4]).tolist() == [False, True, False, True]


@kinds
def test_inverse_functions_at_special_values(kind: str) -> None:
    x = np.array([0, -0.0, 5e-324, 0.5, 1, -1, 1.5, np.inf, -np.inf, np.nan], TYPES[kind])
    with np.errstate(invalid="ignore"):
        for name, peer in {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan}.items():
            y = ROWS[name].values(kind, *x.tolist())
            np.testing.assert_array_max_ulp(np.array(y, TYPES[kind]), peer(x), 2)
            numbers = ~np.isnan(y)
            np.testing.assert_array_equal(np.signbit(y)[numbers], np.signbit(peer(x))[numbers])


@kinds
def test_atan2_in_all_directions(kind: str) -> None:
    angles, sizes = np.linspace(-3.14, 3.14, 500), 10.0 ** np.linspace(-30, 30, 500)
    y, x = (np.sin(angles) * sizes).astype(TYPES[kind]), (np.cos(angles) * sizes).astype(TYPES[kind])
    ATAN2.check(y, x)
    ATAN2.check(y, np.roll(x, 20))


@kinds
def test_atan2_at_special_values(kind: str) -> None:
    special = [0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3e38]
    y, x = (grid.ravel() for grid in np.meshgrid(*[np.array(special, TYPES[kind])] * 2))
    angle, expected = of_arrays(atan2, y, x), np.arctan2(y, x)
    np.testing.assert_array_max_ulp(angle, expected, 2)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(angle)[numbers], np.signbit(expected)[numbers])


@kinds
def test_even_functions_at_special_values(kind: str) -> None:
    tiny = float(np.finfo(TYPES[kind]).smallest_subnormal)
    for name in ("cos", "sinc"):
        y = ROWS[name].values(kind, 0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.nan)
        np.testing.assert_array_equal(y, [1, 1, 1, 1, *[np.nan] * 3])


@kinds
def test_sinc_vanishes_at_whole_numbers(kind: str) -> None:
    assert not any(ROWS["sinc"].values(kind, 1, -2, 3, 1e6, 1e30))


def test_sinc_slope_beyond_a_half_has_an_absolute_error() -> None:
    x = np.concatenate([np.linspace(0.5, 20, 700), -(10.0 ** np.linspace(0, 15, 300))])
    y = of_arrays(sinc_slope, x)
    errors = ulps(y, exact_sinc_slope, x) * np.spacing(abs(y)) * abs(x)
    assert errors.max() < 4e-16
