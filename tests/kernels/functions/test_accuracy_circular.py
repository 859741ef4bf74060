"""sin and cos against mpmath: over the whole range, at special values, next to multiples of pi/2."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.functions.arrays import of_arrays
from packtrain.kernels.functions.circular import LIMIT, cos, sin
from packtrain.kernels.functions.vector import Vector

from .ulps import Exact, worst

EXACT: dict[Callable[..., Vector], Exact] = {sin: mpmath.sin, cos: mpmath.cos}
TYPES = {"double": np.float64, "float": np.float32}
functions = pytest.mark.parametrize("function", EXACT)
kinds = pytest.mark.parametrize("kind", TYPES)


@functions
@kinds
def test_everywhere(function: Callable, kind: str) -> None:
    assert worst(function, EXACT[function], everywhere(kind)) < 1.6


def everywhere(kind: str) -> np.ndarray:
    """All sizes and both signs, multiples of pi/2 up to LIMIT, around LIMIT, and the largest."""
    most = np.log10(np.finfo(TYPES[kind]).max) - 0.01
    limit = np.log10(LIMIT[kind])
    sizes = np.concatenate([np.linspace(-most, most, 300), np.linspace(-1, limit + 1, 500)])
    alternating = (-1.0) ** np.arange(sizes.size) * 10.0**sizes
    multiples = np.float64(mpmath.pi / 2) * np.round(10.0 ** np.linspace(0, limit - 0.2, 200))
    return np.concatenate([alternating, multiples, np.linspace(-7, 7, 300)]).astype(TYPES[kind])


@functions
@given(x=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_any_number(function: Callable, x: list[float]) -> None:
    assert worst(function, EXACT[function], np.array(x)) < 1.6


@functions
def test_float32_is_near_float64(function: Callable) -> None:
    x = np.linspace(-1000, 1000, 200_001, dtype=np.float32)
    exact = of_arrays(function, x.astype(np.float64))
    errors = abs(of_arrays(function, x) - exact) / np.spacing(abs(exact).astype(np.float32))
    assert errors.max() < 1.6


@kinds
def test_special_values(kind: str) -> None:
    tiny = np.finfo(TYPES[kind]).smallest_subnormal
    x = np.array([0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.nan], TYPES[kind])
    np.testing.assert_array_equal(of_arrays(sin, x), [0.0, -0.0, tiny, -tiny, *[np.nan] * 3])
    assert np.signbit(of_arrays(sin, x)[:4]).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(of_arrays(cos, x), [1, 1, 1, 1, *[np.nan] * 3])


@functions
@kinds
def test_bits_do_not_depend_on_the_lane_or_its_neighbours(function: Callable, kind: str) -> None:
    x = everywhere(kind)[:64]
    alone = np.concatenate([of_arrays(function, one) for one in x.reshape(-1, 1)])
    mixed = np.random.default_rng(0).permutation(x.size)
    np.testing.assert_array_equal(of_arrays(function, x[mixed]), alone[mixed])
    np.testing.assert_array_equal(of_arrays(function, x[:-3]), alone[:-3])


@kinds
def test_two_in_one_loop_each_with_its_branch(kind: str) -> None:
    x = everywhere(kind)
    both = of_arrays(lambda x: sin(x) * cos(x), x)
    np.testing.assert_array_equal(both, of_arrays(sin, x) * of_arrays(cos, x))
