"""Error, gamma and Bessel functions against mpmath: over the whole range, and at special values."""

from typing import Any

import mpmath
import numpy as np
import pytest

from packtrain.kernels.functions.arrays import of_arrays
from packtrain.kernels.functions.bessel import j0, j1, j1_over_x
from packtrain.kernels.functions.error import erf, erfc, erfcx
from packtrain.kernels.functions.gamma import digamma, lgamma

from .rows import TYPES, Row
from .ulps import DIGITS, Exact


def exact_erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x), by its series where x is large."""
    if x > 1e6:
        return (1 - 1 / (2 * x * x)) / (mpmath.sqrt(mpmath.pi) * x)
    return mpmath.exp(x * x) * mpmath.erfc(x)


def exact_lgamma(x: Any) -> Any:
    """log |Gamma(x)|."""
    return mpmath.re(mpmath.loggamma(x))


TINY = 5e-324
ROWS = {
    "erf": Row(erf, mpmath.erf, 1.1),
    "erfc": Row(erfc, mpmath.erfc, 1.9, high=30),
    "erfcx": Row(erfcx, exact_erfcx, 1.75, low=-30),
    "lgamma": Row(lgamma, exact_lgamma, 2.2, low=TINY),
    "digamma": Row(digamma, mpmath.digamma, 3.0, low=TINY),
}
kinds = pytest.mark.parametrize("kind", TYPES)


@kinds
def test_error_functions_at_special_values(kind: str) -> None:
    x = (0.0, -0.0, np.inf, -np.inf, np.nan)
    np.testing.assert_array_equal(ROWS["erf"].values(kind, *x), [0, 0, 1, -1, np.nan])
    np.testing.assert_array_equal(ROWS["erfc"].values(kind, *x), [1, 1, 0, 2, np.nan])
    np.testing.assert_array_equal(ROWS["erfcx"].values(kind, *x), [1, 1, 0, np.inf, np.nan])
    assert np.signbit(ROWS["erf"].values(kind, 0.0, -0.0)).tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "exact", "scale"),
    [
        ("lgamma", exact_lgamma, lambda x, y: 1 + abs(y)),
        ("digamma", mpmath.digamma, lambda x, y: abs(y) + abs(mpmath.pi * mpmath.cot(mpmath.pi * x))),
    ],
)
def test_gamma_functions_of_negative_numbers(name: str, exact: Exact, scale: Exact) -> None:
    x = -np.concatenate([np.linspace(0.013, 40.02, 600), 10.0 ** np.linspace(-20, 5.97, 200)])
    with mpmath.workdps(DIGITS):
        for number, y in zip(map(mpmath.mpf, x), ROWS[name].values("double", *x), strict=True):
            expected = exact(number)
            assert abs(y - expected) < 1e-15 * scale(number, expected), number


@kinds
def test_gamma_functions_at_special_values(kind: str) -> None:
    x = (0.0, -0.0, 1.0, 2.0, -1.0, -30.0, -1e30, np.inf, np.nan)
    lgammas = [np.inf, np.inf, 0, 0, np.inf, np.inf, np.inf, np.inf, np.nan]
    np.testing.assert_array_equal(ROWS["lgamma"].values(kind, *x), lgammas)
    y = ROWS["digamma"].values(kind, *x)
    np.testing.assert_array_equal(y[:2] + y[4:], [-np.inf, np.inf, *[np.nan] * 3, np.inf, np.nan])
    assert ROWS["lgamma"].values(kind, -np.inf) == [np.inf]
    assert np.isnan(ROWS["digamma"].values(kind, -np.inf))


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_gamma_functions_next_to_their_zeros(name: str) -> None:
    zeros = {"lgamma": (1, 2), "digamma": (1.4616321449683622,)}[name]
    steps = np.concatenate([-(2.0 ** np.arange(-52, -3)), 2.0 ** np.arange(-51, -3)])
    for zero in zeros:
        ROWS[name].check(zero + steps)


BESSEL = {
    "j0": (j0, lambda x: mpmath.besselj(0, x), 0.5),
    "j1": (j1, lambda x: mpmath.besselj(1, x), 0.5),
    "j1_over_x": (j1_over_x, lambda x: mpmath.besselj(1, x) / x, 1.5),
}


@pytest.mark.parametrize("name", BESSEL)
def test_bessel_functions_up_to_7_and_next_to_their_zeros(name: str) -> None:
    function, exact, _ = BESSEL[name]
    zeros = [float(mpmath.besseljzero(int(name != "j0"), n)) for n in (1, 2)]
    near = [zero + sign * 2.0 ** -np.arange(5, 45) for zero in zeros for sign in (-1, 1)]
    x = np.concatenate([np.linspace(-7, 7, 600), 10.0 ** np.linspace(-300, -1, 100), *near])
    Row(function, exact, 4.5).check(x[abs(x) <= 7])
    Row(function, exact, 2.0).check(np.linspace(-1, 1, 200))
    assert of_arrays(function, np.zeros(1)).tolist() == [{"j0": 1, "j1": 0, "j1_over_x": 0.5}[name]]


@pytest.mark.parametrize("name", BESSEL)
def test_bessel_functions_beyond_7_have_an_absolute_error(name: str) -> None:
    function, exact, power = BESSEL[name]
    x = np.concatenate([np.linspace(7, 30, 300), -(10.0 ** np.linspace(1, 9, 200)), [1e20]])
    with mpmath.workdps(DIGITS):
        for number, y in zip(map(mpmath.mpf, x), of_arrays(function, x).tolist(), strict=True):
            assert abs(y - exact(number)) < 5e-16 / abs(number) ** power, number


@pytest.mark.parametrize("name", BESSEL)
def test_bessel_functions_of_floats_are_rounded(name: str) -> None:
    x = np.linspace(-30, 30, 20_001, dtype=np.float32)
    rounded = of_arrays(BESSEL[name][0], x.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(of_arrays(BESSEL[name][0], x), rounded)


@kinds
def test_bessel_functions_at_special_values(kind: str) -> None:
    x = np.array([-0.0, np.inf, -np.inf, np.nan], TYPES[kind])
    np.testing.assert_array_equal(of_arrays(j0, x), [1, 0, 0, np.nan])
    np.testing.assert_array_equal(of_arrays(j1, x), [0, 0, 0, np.nan])
    np.testing.assert_array_equal(of_arrays(j1_over_x, x), [0.5, 0, 0, np.nan])
    assert np.signbit(of_arrays(j1, x)[0])


@kinds
@pytest.mark.parametrize("name", BESSEL)
def test_bits_of_bessel_functions_do_not_depend_on_neighbours(name: str, kind: str) -> None:
    x = np.concatenate([np.linspace(-12, 12, 60), [1e300, -1e20, 8.0, np.inf]])
    with np.errstate(over="ignore"):
        Row(BESSEL[name][0], BESSEL[name][1], 0).check_lanes(x.astype(TYPES[kind]))
