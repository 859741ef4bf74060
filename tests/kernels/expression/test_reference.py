import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, target
from scipy import special
from torch import Tensor

from packtrain.kernels.elementwise.reference import TORCH, evaluate
from packtrain.kernels.expression.reference import loss_and_gradient, predict
from packtrain.kernels.language import parse
from packtrain.kernels.language.expr import name
from packtrain.kernels.language.notation import COMPARISONS
from packtrain.kernels.language.ops import OPS
from tests.helpers import assert_close
from tests.kernels.expression.checks import assert_exact, autograd, one_operation
from tests.losses import LOSSES
from tests.strategies import OFFERED, Case, cases, data, few, many

NAN, INF = math.nan, math.inf

BY_MATH: dict[str, Callable[..., float]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": math.pow,
    "mod": lambda x, y: x % y,
    "lt": lambda x, y: float(x < y),
    "le": lambda x, y: float(x <= y),
    "gt": lambda x, y: float(x > y),
    "ge": lambda x, y: float(x >= y),
    "where": lambda c, x, y: x if c else y,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "log10": math.log10,
    "log2": math.log2,
    "cbrt": math.cbrt,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sqrt": math.sqrt,
    "abs": math.fabs,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "atan2": math.atan2,
    "hypot": math.hypot,
    "sinc": np.sinc,
    "sinc_slope": lambda x: (math.cos(math.pi * x) - np.sinc(x)) / x if x else 0.0,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "erf": math.erf,
    "erfc": math.erfc,
    "erfcx": special.erfcx,
    "lgamma": math.lgamma,
    "digamma": special.digamma,
    "j0": special.j0,
    "j1": special.j1,
    "j1_over_x": lambda x: special.j1(x) / x if x else 0.5,
    "wofz_real": lambda u, v: special.wofz(complex(u, v)).real,
    "wofz_imag": lambda u, v: special.wofz(complex(u, v)).imag,
    "min": min,
    "max": max,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "plogx": lambda x, y: x * math.log(y),
    "gate": lambda x, y: x * y,
    "chain": lambda x, y: x * y,
}

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"
POINTS = (-2.5, -1.0, -0.3, 0.0, 0.2, 0.5, 1.0, 1.5, 3.0)


def by_math(op: str, *args: float) -> float:
    try:
        return BY_MATH[op](*args)
    except (ValueError, ZeroDivisionError):
        return NAN


def by_torch(op: str, *args: float) -> float:
    return float(TORCH[op](*(torch.tensor(arg, dtype=torch.float64) for arg in args)))


def gradient(case: Case) -> Tensor:
    return loss_and_gradient(case.graph, case.parameters, case.inputs, case.targets, case.loss)[1]


def primer(runs: int, per_run: bool = False, loss: str = "mse") -> Case:
    return data(parse(PRIMER), loss, runs, samples=7, per_run=per_run, seed=3)


def test_every_operation_has_a_row() -> None:
    assert set(TORCH) == set(BY_MATH) == set(OPS)


@pytest.mark.parametrize("op", TORCH)
def test_each_operation_is_the_function_that_its_name_says(op: str) -> None:
    points = list(product(POINTS, repeat=OPS[op].arity))
    known = [point for point in points if not math.isnan(by_math(op, *point))]
    assert len(known) >= 3
    actual = torch.tensor([by_torch(op, *point) for point in known], dtype=torch.float64)
    assert_close(actual, torch.tensor([by_math(op, *point) for point in known], dtype=torch.float64))


@pytest.mark.parametrize("op", ["log", "log1p", "log2", "log10", "sqrt", "asin", "acos", "acosh", "atanh"])
def test_outside_the_domain_is_nan(op: str) -> None:
    assert math.isnan(by_torch(op, -1.5))


@pytest.mark.parametrize("op", [op for op in TORCH if op not in (*COMPARISONS, "where")])
def test_nan_propagates(op: str) -> None:
    assert math.isnan(by_torch(op, *[NAN, 2.0][: OPS[op].arity]))
    assert OPS[op].arity == 1 or math.isnan(by_torch(op, 2.0, NAN))


@pytest.mark.parametrize("op", COMPARISONS)
def test_nan_compares_with_nothing(op: str) -> None:
    assert by_torch(op, NAN, 1) == by_torch(op, 1, NAN) == by_torch(op, NAN, NAN) == 0


def test_where_takes_one_and_leaves_the_other_out() -> None:
    assert (
        by_torch("where", 1, 2, NAN) == by_torch("where", -0.5, 2, NAN) == by_torch("where", 0, NAN, 2) == 2
    )
    assert by_torch("where", NAN, 2, 3) == 2, "NaN isn't 0"


@pytest.mark.parametrize(
    ("op", "at", "expected"),
    [("softplus", 800, 800), ("softplus", -800, 0), ("sigmoid", 800, 1), ("sigmoid", -800, 0)],
)
def test_large_arguments_do_not_overflow(op: str, at: float, expected: float) -> None:
    assert by_torch(op, at) == expected


@pytest.mark.parametrize("op", [op for op in OFFERED if OFFERED[op] == 2])
@pytest.mark.parametrize(("left", "right"), [("a*x", "2"), ("2", "a*x"), ("a*x", "-1.5"), ("x^2", "a")])
def test_numbers_are_operands_like_any_other(op: str, left: str, right: str) -> None:
    symbol = OPS[op].symbol
    text = f"({left}) {symbol} ({right})" if symbol else f"{op}({left}, {right})"
    assert assert_exact(data(parse(f"xy = {text} + a*x"), "sse", 32, samples=1, per_run=True, seed=2)) >= 16


@many
@given(cases())
def test_the_gradient_of_random_graphs_is_exact(case: Case) -> None:
    compared = assert_exact(case)
    assume(compared)
    target(float(len(case.graph.gradient_program)))


def test_most_random_cases_are_finite() -> None:
    counts = []

    @few
    @given(cases())
    def count(case: Case) -> None:
        counts.append(bool(gradient(case).isfinite().all()))

    count()
    assert sum(counts) > 0.8 * len(counts)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
def test_the_primers_gradient_is_exact(loss: str, per_run: bool) -> None:
    case = primer(5, per_run, loss)
    assert assert_exact(case) == 5 * 4


@pytest.mark.parametrize("loss", LOSSES)
def test_two_outputs_share_one_gradient(loss: str) -> None:
    graph = parse(PRIMER, ["xy", "xw"])
    assert assert_exact(data(graph, loss, 3, samples=6, per_run=False, seed=5)) == 3 * 4


def test_per_run_data_are_each_runs_own() -> None:
    shared = primer(3)
    inputs, targets = (data.expand(3, -1, -1).clone() for data in (shared.inputs, shared.targets))
    copied = replace(shared, inputs=inputs, targets=targets)
    assert_close(gradient(copied), gradient(shared))
    one = replace(copied, inputs=copied.inputs.index_fill(0, torch.tensor([1]), 0.3))
    changed = (gradient(one) != gradient(copied)).any(1)
    assert changed.tolist() == [False, True, False]


def test_shared_inputs_may_meet_per_run_targets_and_the_other_way_round() -> None:
    case, own = primer(3), primer(3, per_run=True)
    assert_exact(replace(case, targets=own.targets))
    assert_exact(replace(case, inputs=own.inputs))


@pytest.mark.parametrize(
    "text", ["xy = a", "xy = a + 2", "xy = a*x\nxz = 3", "xy = a*x\nxz = x^2", "xy = x + 0*a"]
)
@pytest.mark.parametrize("per_run", [False, True])
def test_outputs_of_any_shape_become_columns(text: str, per_run: bool) -> None:
    case = data(parse(text), "mse", 3, samples=4, per_run=per_run, seed=1)
    assert predict(case.graph, case.parameters, case.inputs).shape == (3, 4, len(case.graph.outputs))
    assert assert_exact(case) == case.parameters.numel()


def test_predictions_are_columns_in_the_order_of_the_outputs() -> None:
    graph = parse("xy = a*x\nxz = x + b", ["xz", "xy"])
    parameters, inputs = torch.tensor([[2.0, 3.0], [5.0, 7.0]]), torch.tensor([[1.0], [10.0]])
    expected = [[[4, 2], [13, 20]], [[8, 5], [17, 50]]]
    assert predict(graph, parameters, inputs).tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_keep_the_dtype(dtype: torch.dtype) -> None:
    case = primer(2)
    tensors = (case.parameters.to(dtype), case.inputs.to(dtype), case.targets.to(dtype))
    value, slope = loss_and_gradient(case.graph, *tensors, "mse")
    assert value.dtype == slope.dtype == dtype
    assert_close(slope, autograd(case)[1])


def test_gradients_come_without_torchs_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    case = data(one_operation("pow"), "mse", 8, samples=3, per_run=False, seed=1)
    expected = autograd(case)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("torch's autograd was called")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    monkeypatch.setattr(torch.autograd, "backward", refuse)
    monkeypatch.setattr(torch.autograd.graph, "_engine_run_backward", refuse)
    with pytest.raises(AssertionError, match="was called"):
        torch.ones(1, requires_grad=True).sum().backward()
    with torch.inference_mode():
        value, slope = loss_and_gradient(case.graph, case.parameters, case.inputs, case.targets, case.loss)
        assert value.is_inference() and not slope.requires_grad
    assert_close(value, expected[0])
    assert_close(slope, expected[1])


@pytest.mark.parametrize("poison", [NAN, INF, -INF])
def test_a_run_that_is_not_finite_leaves_its_neighbours_untouched(poison: float) -> None:
    case = primer(4)
    poisoned = replace(case, parameters=case.parameters.index_fill(0, torch.tensor([2]), poison))
    clean = loss_and_gradient(case.graph, case.parameters, case.inputs, case.targets, "mse")
    dirty = loss_and_gradient(case.graph, poisoned.parameters, case.inputs, case.targets, "mse")
    for before, after in zip(clean, dirty, strict=True):
        assert not after[2].isfinite().any()
        assert after[[0, 1, 3]].equal(before[[0, 1, 3]])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
def test_a_run_is_the_same_alone_and_in_a_pack_of_64(loss: str, per_run: bool) -> None:
    pack = primer(64, per_run, loss)
    together = gradient(pack)
    for run in (0, 17, 63):
        own = slice(run, run + 1)
        mine = (pack.inputs[own], pack.targets[own]) if per_run else (pack.inputs, pack.targets)
        alone = gradient(Case(pack.graph, pack.parameters[own], *mine, loss))
        assert_close(alone, together[own])


@pytest.mark.parametrize("text", ["xy = relu(a*x)", "xy = min(a*x, 1)", "xy = max(1, a*x)"])
@pytest.mark.parametrize("where", ["parameter", "input"])
def test_nan_reaches_loss_and_gradient(text: str, where: str) -> None:
    parameters, inputs = torch.tensor([[2.0]]), torch.tensor([[1.0], [3.0]])
    (parameters if where == "parameter" else inputs)[0, 0] = NAN
    value, slope = loss_and_gradient(parse(text), parameters, inputs, torch.zeros(2, 1), "mse")
    assert value.isnan().all() and slope.isnan().all()


def test_evaluate_adds_what_is_missing_and_keeps_what_is_there() -> None:
    graph = parse("xy = a*x + 2")
    leaves = {name("a"): torch.full((1, 1), 3.0), name("x"): torch.full((1, 1), 5.0)}
    product = graph.lowered["xy"].args[0]
    values = leaves | {product: torch.full((1, 1), 100.0)}
    evaluate(graph.program, values)
    assert values[graph.lowered["xy"]].item() == 102
    assert values[product].item() == 100


def test_a_plain_exponent_is_computed_as_a_product() -> None:
    inputs = torch.tensor([[3.0], [-3.0]])
    assert predict(parse("xy = a*x^2"), torch.ones(1, 1), inputs).flatten().tolist() == [9, 9]
