"""The checks of a graph's outputs and derivatives that tests share; test_checks.py doubts them."""

from dataclasses import replace
from types import ModuleType

import torch
from torch import Tensor

from packtrain.kernels.expression import reference
from packtrain.kernels.expression.reference import jacobian, loss_and_gradient, predict
from packtrain.kernels.language import Graph
from packtrain.kernels.language.expr import Expr, name, node, number
from packtrain.kernels.language.ops import OPS
from tests.helpers import assert_close
from tests.losses import torch_loss
from tests.strategies import OFFERED, Case, data

# Operations that negative numbers, or those above 1, have no value of.
PARTIAL = ("log", "log1p", "log2", "log10", "sqrt", "asin", "acos", "acosh", "atanh", "pow")
DIFFERENTIABLE = OFFERED | {"wofz_real": 2, "gate": 2, "chain": 2}


def operands(op: str, index: str = "") -> list[Expr]:
    """a*x, b*x, ..., the parameters' names with an index; moved to where the operation is one at all."""
    first, *others = (node("mul", name(f"{p}{index}"), name("x")) for p in "abc"[: OPS[op].arity])
    if op == "acosh":
        first = node("add", number(1), first)
    if op == "where":
        first = node("relu", first)
    return [first, *others]


def one_operation(op: str) -> Graph:
    """xy = op(a*x), or op(a*x, b*x)."""
    expression = node(op, *operands(op))
    return Graph.build({"xy": expression}, None, {"xy": f"xy = {expression}"})


def every_operation() -> list[Case]:
    """Each operation in an equation of its own, with parameters of its own, where it is finite.

    First all of them at positive numbers below 1, then those that are defined everywhere at both signs.
    """
    everywhere = [op for op in DIFFERENTIABLE if op not in PARTIAL]
    cases = [_of_operations(list(DIFFERENTIABLE)), _of_operations(everywhere)]
    positive, signed = (replace(case, parameters=0.4 * case.parameters) for case in cases)
    return [replace(positive, parameters=positive.parameters.abs(), inputs=positive.inputs.abs()), signed]


def _of_operations(ops: list[str]) -> Case:
    equations = {f"x{i}": node(op, *operands(op, str(i))) for i, op in enumerate(ops)}
    lines = {variable: f"{variable} = {expression}" for variable, expression in equations.items()}
    graph = Graph.build(equations, list(equations), lines)
    return data(graph, "sse", runs=3, samples=50, per_run=True, seed=4)


def numbers_of(case: Case) -> int:
    """How many numbers its outputs, losses and gradients are."""
    runs, parameters = case.parameters.shape
    return runs * (case.inputs.shape[-2] * len(case.graph.outputs) + 1 + parameters)


def autograd(case: Case) -> tuple[Tensor, Tensor]:
    """(L, dL/dp) of the reference's forward pass, by torch's own autograd."""
    parameters = case.parameters.clone().requires_grad_()
    value = torch_loss(predict(case.graph, parameters, case.inputs), case.targets, case.loss)
    (gradient,) = torch.autograd.grad(value.sum() + 0 * parameters.sum(), parameters)  # steps have none
    return value.detach(), gradient


def finite(actual: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64 where `expected` is finite and in range, in units of its largest there (1 at least).

    Raises AssertionError where `actual` isn't finite there.
    """
    inside = expected.abs() <= torch.finfo(actual.dtype).max
    missing = int((inside & ~actual.isfinite()).sum())
    assert not missing, f"{missing} of {int(inside.sum())} numbers that are known aren't finite"
    unit = expected[inside].abs().amax().clamp(min=1) if inside.any() else 1.0
    return actual[inside].double() / unit, expected[inside].double() / unit


def near_where_finite(actual: Tensor, expected: Tensor, dtype: torch.dtype | None = None) -> int:
    """`actual` is near `expected` wherever that is finite and in range; at how many numbers."""
    compared, known = finite(actual, expected)
    if known.numel():
        assert_close(compared, known, dtype)
    return known.numel()


def assert_exact(case: Case) -> int:
    """The reference's loss is autograd's, the gradient where both are finite there; at how many numbers."""
    actual = loss_and_gradient(case.graph, case.parameters, case.inputs, case.targets, case.loss)
    value, gradient = autograd(case)
    assert actual[0].shape == value.shape and actual[1].shape == gradient.shape
    near_where_finite(actual[0], value)
    known = value.isfinite()
    return near_where_finite(actual[1][known], gradient[known])


def slopes_by_autograd(case: Case) -> Tensor:
    """dy/dp [R, B, T, P] of the reference's prediction, by torch's own autograd."""
    slopes = torch.autograd.functional.jacobian(
        lambda p: predict(case.graph, p, case.inputs).sum(0), case.parameters
    )
    assert isinstance(slopes, Tensor)
    return slopes.permute(2, 0, 1, 3)


def assert_jacobian_exact(case: Case) -> int:
    """The outputs are `predict`'s, the Jacobian autograd's wherever that is finite; how many numbers are."""
    outputs, slopes = jacobian(case.graph, case.parameters, case.inputs)
    predicted = predict(case.graph, case.parameters, case.inputs)
    assert outputs.shape == predicted.shape and outputs.allclose(predicted, rtol=1e-9, equal_nan=True)
    expected = slopes_by_autograd(case)
    assert slopes.shape == expected.shape
    return near_where_finite(slopes[outputs.isfinite()], expected[outputs.isfinite()])


def of(case: Case, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters, inputs and targets as a kernel gets them."""
    targets = case.targets if case.loss == "cross_entropy" else case.targets.to(dtype)
    return case.parameters.to(device, dtype), case.inputs.to(device, dtype), targets.to(device)


def agrees(
    backend: ModuleType,
    case: Case,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device = "cpu",
) -> int:
    """A backend's outputs, loss and gradient are the reference's wherever that is finite and in range.

    In float64 they are NaN and infinite where the reference is, too. At how many numbers they agree.
    """
    parameters, inputs, targets = of(case, dtype, torch.device(device))
    exact = (
        parameters.double(),
        inputs.double(),
        targets if case.loss == "cross_entropy" else targets.double(),
    )
    value, gradient = backend.loss_and_gradient(case.graph, parameters, inputs, targets, case.loss)
    wanted = reference.loss_and_gradient(case.graph, *exact, case.loss)
    outputs = backend.predict(case.graph, parameters, inputs)
    pairs = [
        (outputs, reference.predict(case.graph, *exact[:2])),
        (value, wanted[0]),
        (gradient, wanted[1]),
    ]
    for actual, expected in pairs:
        assert actual.dtype == dtype and actual.shape == expected.shape
        if dtype == torch.float64:
            assert actual.isnan().equal(expected.isnan())
            assert actual.isinf().equal(expected.isinf())
    return sum(near_where_finite(actual, expected, dtype) for actual, expected in pairs)
