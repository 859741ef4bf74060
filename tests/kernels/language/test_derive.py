import math
from collections.abc import Sequence

import pytest
import torch

from packtrain.kernels.elementwise.reference import TORCH, evaluate
from packtrain.kernels.language.derive import reverse
from packtrain.kernels.language.expr import ONE, ZERO, Expr, name, node, number, walk
from packtrain.kernels.language.ops import OPS
from packtrain.kernels.language.partials import PARTIALS
from tests.helpers import assert_close
from tests.kernels.expression.checks import DIFFERENTIABLE, assert_exact, one_operation
from tests.strategies import data

RUNS = 64
NAN, INF = math.nan, math.inf
a, b, x = name("a"), name("b"), name("x")


def by_table(op: str, at: Sequence[float]) -> list[float]:
    """d op / d argument for each argument, by the table."""
    leaves = (a, b)[: len(at)]
    values = {leaf: torch.tensor([[v]], dtype=torch.float64) for leaf, v in zip(leaves, at, strict=True)}
    partials = PARTIALS[op](*leaves)
    evaluate(walk(*partials), values)
    return [float(values[part]) for part in partials]


def by_torch(op: str, at: Sequence[float]) -> list[float]:
    """d op / d argument for each argument, by torch's autograd."""
    leaves = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in at]
    return [float(slope) for slope in torch.autograd.grad(TORCH[op](*leaves), leaves)]


def test_every_operation_that_the_language_offers_has_its_partials() -> None:
    assert set(PARTIALS) == set(DIFFERENTIABLE) <= set(OPS)


@pytest.mark.parametrize("op", PARTIALS)
def test_there_is_a_partial_for_each_argument(op: str) -> None:
    assert len(PARTIALS[op](*(a, b, x)[: OPS[op].arity])) == OPS[op].arity


@pytest.mark.parametrize("op", PARTIALS)
def test_the_gradient_of_each_operation_is_exact(op: str) -> None:
    case = data(one_operation(op), "sse", RUNS, samples=1, per_run=True, seed=1)
    assert assert_exact(case) >= RUNS * OPS[op].arity // 4  # the rest are outside the domain


@pytest.mark.sampled(50)
@pytest.mark.parametrize("argument", [0, 1, 2])
@pytest.mark.parametrize("op", PARTIALS)
def test_a_slightly_wrong_row_is_rejected(op: str, argument: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*args: Expr) -> tuple[Expr, ...]:
        partials = list(right(*args))
        partial = partials[argument % len(partials)]
        partials[argument % len(partials)] = number(1e-6) if partial is ZERO else number(1 + 1e-6) * partial
        return tuple(partials)

    right = PARTIALS[op]
    monkeypatch.setitem(PARTIALS, op, wrong)
    with pytest.raises(AssertionError):
        assert_exact(data(one_operation(op), "sse", RUNS, samples=1, per_run=True, seed=1))


def test_a_wrong_sign_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTIALS, "sin", lambda part: (-node("cos", part),))
    with pytest.raises(AssertionError):
        assert_exact(data(one_operation("sin"), "mse", RUNS, samples=1, per_run=True, seed=1))


@pytest.mark.parametrize(
    ("op", "at"),
    [
        ("relu", [0.0]),
        ("relu", [-0.0]),
        ("abs", [0.0]),
        ("min", [0.7, 0.7]),
        ("max", [0.7, 0.7]),
        ("min", [-1e-300, 1e-300]),
        ("max", [0.0, -0.0]),
        ("max", [INF, 1.0]),
        ("min", [-INF, 1.0]),
        ("pow", [0.0, 2.0]),
        ("pow", [0.0, 0.5]),
        ("pow", [0.0, 1.0]),
        ("pow", [2.0, 0.0]),
        ("sqrt", [0.0]),
        ("softplus", [800.0]),
        ("softplus", [-800.0]),
        ("sigmoid", [800.0]),
        ("sigmoid", [-800.0]),
        ("tanh", [400.0]),
    ],
)
def test_at_kinks_and_limits_the_partials_are_torchs(op: str, at: list[float]) -> None:
    assert_close(torch.tensor(by_table(op, at)).double(), torch.tensor(by_torch(op, at)).double())


@pytest.mark.parametrize(
    ("op", "at", "expected"),
    [
        ("relu", [0.0], [0]),
        ("abs", [0.0], [0]),
        ("abs", [-3.0], [-1]),
        ("min", [2.0, 2.0], [0.5, 0.5]),
        ("max", [2.0, 2.0], [0.5, 0.5]),
        ("min", [1.0, 2.0], [1, 0]),
        ("max", [1.0, 2.0], [0, 1]),
        ("pow", [0.0, 3.0], [0, 0]),
    ],
)
def test_at_kinks_the_partials_are_as_documented(op: str, at: list[float], expected: list[float]) -> None:
    assert by_table(op, at) == expected


@pytest.mark.parametrize(
    ("op", "at"),
    [
        ("relu", [NAN]),
        ("abs", [NAN]),
        ("tan", [NAN]),
        ("pow", [NAN, 2]),
    ],
)
def test_nan_passes_through_a_partial(op: str, at: list[float]) -> None:
    assert math.isnan(by_table(op, at)[0])


@pytest.mark.parametrize("op", ["min", "max"])
@pytest.mark.parametrize("at", [[NAN, 1.0], [1.0, NAN], [NAN, NAN]])
def test_nan_passes_through_both_partials_of_min_and_max(op: str, at: list[float]) -> None:
    assert all(math.isnan(partial) for partial in by_table(op, at))


def test_reverse_sums_over_all_paths() -> None:
    root = node("mul", a, node("add", a, b))
    assert str(reverse({root: ONE}, {a})[a]) == "a + b + a"


def test_reverse_weighs_each_root_by_its_seed() -> None:
    assert str(reverse({node("sin", a): x, node("mul", a, b): number(3)}, {a})[a]) == "3*b + x*cos(a)"


def test_reverse_gives_0_where_no_root_is_fed() -> None:
    assert reverse({node("sin", a): ONE}, {a, b})[b] is ZERO


def test_reverse_of_a_root_that_is_wanted_itself_is_its_seed() -> None:
    assert reverse({a: x}, {a}) == {a: x}


def test_reverse_leaves_out_what_no_wanted_leaf_feeds() -> None:
    slopes = reverse({node("mul", node("exp", x), a): ONE}, {a})
    assert list(slopes) == [a]
    assert str(slopes[a]) == "exp(x)"


def test_a_root_inside_another_root_gets_both_derivatives() -> None:
    inner = node("mul", a, x)
    assert str(reverse({inner: b, node("sin", inner): ONE}, {a})[a]) == "(b + cos(a*x))*x"


def test_infinite_slopes_of_one_leaf_do_not_meet() -> None:
    """Down from the root: infinity minus infinity; up from the leaf: 0."""
    inner = node("sub", node("mul", a, x), node("mul", x, a))
    values = {a: torch.ones(1, 1).double(), x: torch.ones(1, 1).double()}
    slope = reverse({node("sqrt", inner): ONE}, {a})[a]
    evaluate(walk(slope), values)
    assert float(values[slope]) == 0
