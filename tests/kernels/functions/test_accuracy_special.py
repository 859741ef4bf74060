"""Error and gamma functions against mpmath: over the whole range, and at special values."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.functions.error import erf, erfc, erfcx
from packtrain.kernels.functions.gamma import digamma, lgamma

from .rows import TYPES, Row
from .ulps import DIGITS, Exact


def exact_erfcx(x: mpmath.mpf) -> mpmath.mpf:
    """exp(x^2) erfc(x), by its series where x is large."""
    if x > 1e6:
        return (1 - 1 / (2 * x * x)) / (mpmath.sqrt(mpmath.pi) * x)
    return mpmath.exp(x * x) * mpmath.erfc(x)


def exact_lgamma(x: mpmath.mpf) -> mpmath.mpf:
    """log |Gamma(x)|."""
    return mpmath.re(mpmath.loggamma(x))


TINY = 5e-324
ROWS = {
    "erf": Row(erf, mpmath.erf, 1.1),
    "erfc": Row(erfc, mpmath.erfc, 1.8, high=30),
    "erfcx": Row(erfcx, exact_erfcx, 1.9, low=-30),
    "lgamma": Row(lgamma, exact_lgamma, 2.2, low=TINY),
    "digamma": Row(digamma, mpmath.digamma, 3.0, low=TINY),
}
names = pytest.mark.parametrize("name", ROWS)
kinds = pytest.mark.parametrize("kind", TYPES)


@names
@kinds
def test_everywhere(name: str, kind: str) -> None:
    ROWS[name].check(ROWS[name].arguments(kind))


@names
@given(data=st.data())
def test_any_number(name: str, data: st.DataObject) -> None:
    row = ROWS[name]
    numbers = st.floats(max(row.low, -26), min(row.high, 28))
    row.check(np.array(data.draw(st.lists(numbers, min_size=1, max_size=20))))


@names
def test_float32_is_near_float64(name: str) -> None:
    ROWS[name].check_floats()


@names
@kinds
def test_bits_do_not_depend_on_the_lane_or_its_neighbours(name: str, kind: str) -> None:
    ROWS[name].check_lanes(
        np.concatenate([ROWS[name].arguments(kind)[::20], [np.inf, -np.inf]]).astype(TYPES[kind])
    )


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
