"""Exponentials, logarithms, powers and hyperbolic functions against mpmath: everywhere, at special values."""

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.functions.arrays import of_arrays
from packtrain.kernels.functions.exponential import exp, expm1, sigmoid
from packtrain.kernels.functions.hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from packtrain.kernels.functions.logarithm import branchless_log, log, log1p, log2, log10, softplus
from packtrain.kernels.functions.power import cbrt, hypot, log_of_base, pow

from .rows import TYPES, Row

kinds = pytest.mark.parametrize("kind", TYPES)


def exact_softplus(x: Any) -> Any:
    """log(1 + e^x), without a number of 10^308 digits."""
    return max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x)))


def exact_sigmoid(x: Any) -> Any:
    """1/(1 + e^-x)."""
    return mpmath.exp(min(x, 0)) / (1 + mpmath.exp(-abs(x)))


def exact_cbrt(x: Any) -> Any:
    """The real cube root."""
    return mpmath.sign(x) * mpmath.cbrt(abs(x))


ROWS = {
    "exp": Row(exp, mpmath.exp, 0.9),
    "expm1": Row(expm1, mpmath.expm1, 1.5),
    "sigmoid": Row(sigmoid, exact_sigmoid, 1.1),
    "softplus": Row(softplus, exact_softplus, 1.4),
    "log": Row(log, mpmath.log, 0.9, low=0),
    "log2": Row(log2, lambda x: mpmath.log(x, 2), 1.0, low=0),
    "log10": Row(log10, mpmath.log10, 1.1, low=0),
    "log1p": Row(log1p, mpmath.log1p, 1.0, low=-1),
    "log_of_base": Row(log_of_base, mpmath.log, 0.9, low=0),
    "cbrt": Row(cbrt, exact_cbrt, 0.8),
    "sinh": Row(sinh, mpmath.sinh, 1.7),
    "cosh": Row(cosh, mpmath.cosh, 1.4),
    "tanh": Row(tanh, mpmath.tanh, 1.9),
    "asinh": Row(asinh, mpmath.asinh, 1.3),
    "acosh": Row(acosh, mpmath.acosh, 1.5, low=1),
    "atanh": Row(atanh, mpmath.atanh, 1.7, low=-1, high=1),
}
names = pytest.mark.parametrize("name", ROWS)
EXPONENTIALS = ["exp", "expm1", "sigmoid", "softplus", "sinh", "cosh"]
NEAR_1 = ["log", "log2", "log10", "log_of_base", "acosh", "atanh"]
ODD = ["expm1", "log1p", "cbrt", "sinh", "tanh", "asinh", "atanh"]
POW, HYPOT = Row(pow, mpmath.power, 1.6), Row(hypot, mpmath.hypot, 1.2)


@pytest.mark.parametrize("name", EXPONENTIALS)
@kinds
def test_where_the_result_overflows_or_is_subnormal(name: str, kind: str) -> None:
    form = np.finfo(TYPES[kind])
    most, least = np.log(float(form.max)), np.log(float(form.smallest_subnormal))
    subnormal = np.linspace(least - 1, np.log(float(form.tiny)) + 1, 200)
    ends = [np.linspace(end - 0.001, end + 0.001, 41) for end in (most, most + np.log(2), least - np.log(2))]
    ROWS[name].check(np.concatenate([subnormal, -subnormal, *ends]).astype(TYPES[kind]))


@pytest.mark.parametrize("name", NEAR_1)
@kinds
def test_next_to_1(name: str, kind: str) -> None:
    row, distance = ROWS[name], 10.0 ** np.linspace(-17, -0.2, 300)
    x = np.concatenate([1 - distance, 1 + distance]).astype(TYPES[kind])
    row.check(x[(x >= row.low) & (x <= row.high)])


@kinds
@pytest.mark.parametrize("name", ["log", "log2", "log10", "log_of_base", "cbrt"])
def test_of_subnormal_numbers(name: str, kind: str) -> None:
    tiny = np.finfo(TYPES[kind]).smallest_subnormal
    ROWS[name].check(tiny * np.arange(1, 50, dtype=TYPES[kind]))


@kinds
@pytest.mark.parametrize("name", ODD)
def test_odd_functions_near_0(name: str, kind: str) -> None:
    tiny = float(np.finfo(TYPES[kind]).smallest_subnormal)
    x = [0.0, -0.0, *([tiny, -tiny] if name != "cbrt" else [])]
    y = ROWS[name].values(kind, *x)
    assert list(zip(y, np.signbit(y), strict=True)) == list(zip(x, np.signbit(x), strict=True))


SPECIAL = {  # at inf, -inf, 1, 0
    "exp": (np.inf, 0, None, 1),
    "expm1": (np.inf, -1, None, 0),
    "sigmoid": (1, 0, None, 0.5),
    "softplus": (np.inf, 0, None, None),
    "log": (np.inf, np.nan, 0, -np.inf),
    "log2": (np.inf, np.nan, 0, -np.inf),
    "log10": (np.inf, np.nan, 0, -np.inf),
    "log1p": (np.inf, np.nan, None, 0),
    "log_of_base": (np.inf, np.nan, 0, -np.inf),
    "cbrt": (np.inf, -np.inf, 1, 0),
    "sinh": (np.inf, -np.inf, None, 0),
    "cosh": (np.inf, np.inf, None, 1),
    "tanh": (1, -1, None, 0),
    "asinh": (np.inf, -np.inf, None, 0),
    "acosh": (np.inf, np.nan, 0, np.nan),
    "atanh": (np.nan, np.nan, np.inf, 0),
}


@names
@kinds
def test_special_values(name: str, kind: str) -> None:
    *values, nan = ROWS[name].values(kind, np.inf, -np.inf, 1, 0, np.nan)
    for value, expected in zip(values, SPECIAL[name], strict=True):
        if expected is not None:
            np.testing.assert_equal(value, expected)
    assert np.isnan(nan)


@kinds
def test_outside_their_domain(kind: str) -> None:
    outside = {"log": -1, "log2": -1e-30, "log10": -5, "log1p": -1.5, "acosh": 0.999, "atanh": 1.5}
    for name, x in outside.items():
        assert np.isnan(ROWS[name].values(kind, x)), name
    for name, x in {"log": -0.0, "log2": -0.0, "log10": -0.0, "log1p": -1, "atanh": -1}.items():
        assert ROWS[name].values(kind, x) == [-np.inf], name


@kinds
def test_logarithms_of_powers_are_whole(kind: str) -> None:
    exponents = list(range(-149 if kind == "float" else -1074, 128))
    assert ROWS["log2"].values(kind, *(2.0**n for n in exponents)) == exponents
    assert ROWS["log10"].values(kind, 1, 10, 100, 1e6) == [0, 1, 2, 6]


@kinds
def test_log_has_the_same_bits_without_a_branch(kind: str) -> None:
    x = np.concatenate(
        [ROWS["log"].arguments(kind), np.array([0, -0.0, -1, 1e-40, 5e-324, np.inf, np.nan], TYPES[kind])]
    )
    np.testing.assert_array_equal(of_arrays(branchless_log, x), of_arrays(log, x))


@kinds
def test_pow_over_its_range(kind: str) -> None:
    form, generator = np.finfo(TYPES[kind]), np.random.default_rng(0)
    low, high = np.log2(float(form.smallest_subnormal)), np.log2(float(form.max))
    sizes = 2.0 ** generator.uniform(low + 1, high, 700)
    x = np.concatenate([sizes, generator.uniform(0.4, 2, 700), 1 + 10.0 ** generator.uniform(-7, -1, 300)])
    x = x.astype(TYPES[kind])
    y = generator.uniform(low - 1, high + 1, x.size) / np.log2(x.astype(float))
    POW.check(x, y.astype(TYPES[kind]))


@kinds
def test_pow_of_whole_exponents(kind: str) -> None:
    x = np.linspace(-9, 9, 500).astype(TYPES[kind])
    for exponent in (-3, -2, -1, 2, 3, 7):
        POW.check(x, np.full_like(x, exponent))
    np.testing.assert_array_equal(of_arrays(pow, x, np.full_like(x, 1)), x)
    twos = np.full(200, 2, TYPES[kind])
    exponents = np.arange(-100, 100).astype(TYPES[kind])
    np.testing.assert_array_equal(of_arrays(pow, twos, exponents), 2.0**exponents)


@kinds
def test_pow_is_that_of_c_at_special_values(kind: str) -> None:
    special = [0, 1e-45, 0.3, 0.5, 1, 1.5, 2, 3, 4, 1e20, 2.0**24 - 1, 2.0**53 - 1, 2.0**53, 3e38, np.inf]
    both = [*special, *(-x for x in special), np.nan]
    x, y = (grid.ravel() for grid in np.meshgrid(*[np.array(both, TYPES[kind])] * 2))
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    power = of_arrays(pow, x, y)
    np.testing.assert_array_max_ulp(power, expected, 2)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(power)[numbers], np.signbit(expected)[numbers])


@given(st.floats(0, exclude_min=True, allow_infinity=False), st.floats(-1100, 1100))
def test_pow_of_any_numbers(x: float, y: float) -> None:
    POW.check(np.array([x]), np.array([y]))
    POW.check(np.array([x]), np.array([y / max(abs(np.log2(x)), 1e-300)]))


def test_float32_pow_is_near_float64() -> None:
    x, y = (
        grid.ravel().astype(np.float32)
        for grid in np.meshgrid(np.geomspace(1e-5, 1e5, 400), np.linspace(-7, 7, 300))
    )
    exact = of_arrays(pow, x.astype(np.float64), y.astype(np.float64))
    errors = abs(of_arrays(pow, x, y) - exact) / np.spacing(exact.astype(np.float32))
    assert errors.max() <= 1


@kinds
def test_hypot(kind: str) -> None:
    generator, most = np.random.default_rng(0), float(np.finfo(TYPES[kind]).max)
    sizes = most ** generator.uniform(-1.15, 0.99, 700)
    ratios = 10.0 ** generator.uniform(-3, 3, 700)
    x, y = sizes.astype(TYPES[kind]), (sizes * np.minimum(ratios, 1)).astype(TYPES[kind])
    HYPOT.check(x, -y)
    HYPOT.check(y, x)


@kinds
def test_hypot_at_special_values(kind: str) -> None:
    special = np.array([0, -0.0, 3, -4, np.inf, -np.inf, np.nan, 1e-45, 3e38], TYPES[kind])
    x, y = (grid.ravel() for grid in np.meshgrid(special, special))
    with np.errstate(over="ignore"):
        np.testing.assert_array_max_ulp(of_arrays(hypot, x, y), np.hypot(x, y), 1)


@kinds
def test_pow_and_hypot_have_the_same_bits_in_every_lane(kind: str) -> None:
    x, y = (np.random.default_rng(seed).uniform(-3, 3, 70).astype(TYPES[kind]) for seed in (1, 2))
    for function in (pow, hypot):
        alone = [
            of_arrays(function, a, b)[0] for a, b in zip(x.reshape(-1, 1), y.reshape(-1, 1), strict=True)
        ]
        np.testing.assert_array_equal(of_arrays(function, x, y), alone)
