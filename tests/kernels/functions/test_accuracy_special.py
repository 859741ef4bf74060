"""Error functions against mpmath: over the whole range, and at special values."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.functions.error import erf, erfc, erfcx

from .rows import TYPES, Row


def exact_erfcx(x: mpmath.mpf) -> mpmath.mpf:
    """exp(x^2) erfc(x), by its series where x is large."""
    if x > 1e6:
        return (1 - 1 / (2 * x * x)) / (mpmath.sqrt(mpmath.pi) * x)
    return mpmath.exp(x * x) * mpmath.erfc(x)


ROWS = {
    "erf": Row(erf, mpmath.erf, 1.1),
    "erfc": Row(erfc, mpmath.erfc, 1.8, high=30),
    "erfcx": Row(erfcx, exact_erfcx, 1.9, low=-30),
}
names = pytest.mark.parametrize("name", ROWS)
kinds = pytest.mark.parametrize("kind", TYPES)


@names
@kinds
def test_everywhere(name: str, kind: str) -> None:
    ROWS[name].check(ROWS[name].arguments(kind))


@names
@given(x=st.lists(st.floats(-26, 28), min_size=1, max_size=20))
def test_any_number(name: str, x: list[float]) -> None:
    ROWS[name].check(np.array(x))


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
