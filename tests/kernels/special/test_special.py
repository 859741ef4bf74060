"""Special functions, and slopes that easily lose digits: over the whole range, against mpmath."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any

import mpmath
import pytest
import torch
from mpmath import mp, mpc, mpf
from torch import Tensor

from packtrain.kernels.elementwise.reference import TORCH, evaluate
from packtrain.kernels.expression import reference, triton_kernel
from packtrain.kernels.language import Graph
from packtrain.kernels.language.expr import name, node, walk
from packtrain.kernels.language.partials import PARTIALS
from packtrain.kernels.special import bessel, digamma, faddeeva, sinc
from tests.helpers import assert_close

Number = Any  # of mpmath
DIGITS = 40
SINGLE = 5e-6  # of float32, relative
U = (0, 1e-10, 1e-3, 0.12, 0.2558, 0.3, 0.5117, 1, 2.303, 5, 6.2, 12, 20, 26, 27.5, 1e3, 1e6, 1e8, 3e9)
V = (0, 1e-300, 1e-14, 1e-8, 1e-3, 0.1, 0.9, 3, 6.13, 6.15, 10, 1e3, 1e8, 1e10)
POINTS = (1e-10, 1e-5, 9e-5, 2e-4, 0.01, 0.249, 0.251, 0.5, 0.8, 1, 1.46, 2, 3.7, 7.99, 8.01, 24.9, 25.1, 1e3)


def far(z: Number) -> Number:
    """w(z) by its asymptotic series."""
    total, term = mpc(0), mpc(1)
    for k in range(12):
        total, term = total + term, term * (2 * k + 1) / (2 * z * z)
    return mpc(0, 1) / (mp.sqrt(mp.pi) * z) * total


@cache
def exact_faddeeva() -> list[tuple[float, float, Number]]:
    """(u, v, w(u + iv)) with all digits, of v = 0 the real part as exp(-u^2)."""
    values = []
    for u, v in product(U, V):
        z = mpc(u, v)
        with mp.workdps(DIGITS):
            if abs(z) > 500:
                w = far(z) + (mp.exp(-(mpf(u) ** 2)) if v == 0 else 0)
            else:
                with mp.workdps(DIGITS + int(u * u / 2.3)):
                    w = mp.exp(-z * z) * mp.erfc(mpc(0, -1) * z)
        values.append((u, v, w))
    return values


def worst(actual: Tensor, expected: Sequence[Number], absolute: float = 0) -> float:
    """The largest error, relative to what is expected or to `absolute`, where that is larger."""
    smallest = max(torch.finfo(actual.dtype).tiny * 1e6, absolute)
    errors = (
        abs(mpf(a) - e) / max(abs(e), smallest)
        for a, e in zip(actual.flatten().tolist(), expected, strict=True)
    )
    return float(max(errors))


@pytest.mark.parametrize(("op", "part"), [("wofz_real", mpmath.re), ("wofz_imag", mpmath.im)])
def test_both_parts_of_faddeevas_function(op: str, part: Callable[[Number], Number]) -> None:
    u, v = (torch.tensor([row[i] for row in exact_faddeeva()], dtype=torch.float64) for i in (0, 1))
    exact = [part(w) for _, _, w in exact_faddeeva()]
    assert worst(TORCH[op](u, v), exact) < 1e-13
    mirrored = exact if op == "wofz_real" else [-value for value in exact]
    assert worst(TORCH[op](-u, v), mirrored) < 1e-13


@pytest.mark.parametrize("op", ["wofz_real", "wofz_imag"])
def test_faddeevas_function_in_float32(op: str) -> None:
    u, v = torch.tensor(list(product(U, V)), dtype=torch.float32).unbind(1)
    exact = TORCH[op](u.double(), v.double()).tolist()
    assert worst(TORCH[op](u, v), exact) < SINGLE


def test_faddeevas_function_goes_on_below_the_axis() -> None:
    """w(z) + w(-z) = 2 exp(-z^2): a fit may try a negative width."""
    u, v = torch.tensor(list(product(U[:9], V[2:8])), dtype=torch.float64).unbind(1)
    z = torch.complex(u, v)
    w, other = (torch.complex(TORCH["wofz_real"](*at), TORCH["wofz_imag"](*at)) for at in ((u, v), (-u, -v)))
    both = 2 * torch.exp(-z * z)
    assert ((w + other - both).abs() / both.abs().clamp(min=1)).max() < 1e-14


def test_a_rule_with_too_few_nodes_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faddeeva, "NODES", 9)
    with pytest.raises(AssertionError):
        test_both_parts_of_faddeevas_function("wofz_real", mpmath.re)


def by_mpmath(function: Callable[[Number], Number], points: Sequence[float]) -> list[Number]:
    with mp.workdps(DIGITS):
        return [function(mpf(point)) for point in points]


# operation -> the function, where it is known, and how large the error's unit is at least
KNOWN: dict[str, tuple[Callable[[Number], Number], Sequence[float], float]] = {
    "digamma": (mpmath.digamma, [*POINTS, *(-x for x in POINTS if x % 1), -20.3, 1e10], 1),
    "j0": (lambda x: mpmath.besselj(0, x), [*POINTS, *(-x for x in POINTS)], 1),
    "j1": (lambda x: mpmath.besselj(1, x), [*POINTS, *(-x for x in POINTS)], 1),
    "j1_over_x": (lambda x: mpmath.besselj(1, x) / x, [*POINTS, *(-x for x in POINTS)], 1e-3),
    "sinc": (lambda x: mpmath.sinc(mp.pi * x), POINTS, 1),
    "sinc_slope": (lambda x: (mpmath.cos(mp.pi * x) - mpmath.sinc(mp.pi * x)) / x, POINTS, 0.1),
    "cbrt": (mpmath.cbrt, [*POINTS, 1e-300, 1e300, 5e-324], 0),
}


@pytest.mark.parametrize("op", KNOWN)
def test_functions_of_one_number(op: str) -> None:
    function, points, unit = KNOWN[op]
    assert (
        worst(TORCH[op](torch.tensor(points, dtype=torch.float64)), by_mpmath(function, points), unit) < 2e-15
    )
    single = torch.tensor([point for point in points if 1e-30 < abs(point) < 1e30], dtype=torch.float32)
    exact = by_mpmath(function, single.tolist())
    assert worst(TORCH[op](single), exact, max(unit, 1e-3)) < SINGLE


def test_digamma_at_its_poles() -> None:
    at = torch.tensor([0.0, -0.0, -1.0, -7.0, -1e300, torch.inf, -torch.inf, torch.nan], dtype=torch.float64)
    first, second, *others = TORCH["digamma"](at).tolist()
    assert (first, second, others[3]) == (-torch.inf, torch.inf, torch.inf)
    assert all(map(math.isnan, [*others[:3], *others[4:]]))


@pytest.mark.parametrize(
    ("module", "constant", "wrong", "op"),
    [
        (digamma, "SHIFT", 5, "digamma"),
        (bessel, "TERMS", 10, "j0"),
        (bessel, "NODES", bessel.NODES[:-1], "j1"),
        (bessel, "SMALL", 0.1, "j1_over_x"),
        (sinc, "TERMS", 5, "sinc_slope"),
    ],
)
def test_a_series_that_ends_too_early_is_rejected(
    module: object, constant: str, wrong: object, op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, constant, wrong)
    with pytest.raises(AssertionError):
        test_functions_of_one_number(op)


# operation -> its slope, and where that is hard to get
SLOPES: dict[str, tuple[Callable[[Number], Number], Sequence[float]]] = {
    "asin": (lambda x: 1 / mpmath.sqrt(1 - x * x), [0, 0.5, -0.99, 1 - 1e-12, 1e-12 - 1]),
    "acos": (lambda x: -1 / mpmath.sqrt(1 - x * x), [0, 0.5, -0.99, 1 - 1e-12, 1e-12 - 1]),
    "acosh": (lambda x: 1 / mpmath.sqrt(x * x - 1), [1 + 1e-12, 1.5, 1e10]),
    "asinh": (lambda x: 1 / mpmath.sqrt(x * x + 1), [0, -1e-10, 1.5, -1e10]),
    "atanh": (lambda x: 1 / (1 - x * x), [0, 1e-10, -0.5, 1 - 1e-12]),
    "log1p": (lambda x: 1 / (1 + x), [0, 1e-20, 3, -0.9]),
    "expm1": (mpmath.exp, [-50, -1e-10, 0, 3]),
    "erf": (lambda x: 2 / mpmath.sqrt(mp.pi) * mpmath.exp(-x * x), [0, -1e-3, 1.5, 5]),
    "erfc": (lambda x: -2 / mpmath.sqrt(mp.pi) * mpmath.exp(-x * x), [0, -1e-3, 1.5, 5]),
    "erfcx": (
        lambda x: 2 * x * mpmath.exp(x * x) * mpmath.erfc(x) - 2 / mpmath.sqrt(mp.pi),
        [-5, -1, 0, 1e-5, 1, 3, 7, 9.99, 10.01, 20, 1e3],
    ),
    "cbrt": (lambda x: mpmath.cbrt(x) / (3 * x), [1e-30, 8, 1e20]),
}


@pytest.mark.parametrize("op", SLOPES)
def test_slopes_keep_their_digits(op: str) -> None:
    slope, points = SLOPES[op]
    with mp.workdps(500 if op == "erfcx" else DIGITS):
        exact = [slope(mpf(point)) for point in points]
    x = name("x")
    (partial,) = PARTIALS[op](x)
    evaluate(walk(partial), values := {x: torch.tensor([points], dtype=torch.float64)})
    assert worst(values[partial].expand(1, len(points)), exact) < 1e-12


def test_triton_computes_what_torch_does() -> None:
    """All of `special` as text, over the whole range, negative and positive."""
    x, w, a = name("x"), name("xw"), name("a")
    one = {op: node(op, x) for op in ("digamma", "sinc_slope", "j1_over_x")}
    two = {op: node(op, x, w) for op in ("wofz_real", "wofz_imag")}
    equations = {f"x{i}": node("mul", a, part) for i, part in enumerate((one | two).values())}
    graph = Graph.build(equations, list(equations), dict.fromkeys(equations, ""))
    widths = (0.0, 1e-8, 0.3, 6.0, 7.0, 1e4)
    inputs = torch.tensor([(s * u, v) for u, v in product(POINTS, widths) for s in (1, -1)]).double()
    parameters = torch.ones(1, 1, dtype=torch.float64)
    assert_close(
        triton_kernel.predict(graph, parameters, inputs), reference.predict(graph, parameters, inputs)
    )
