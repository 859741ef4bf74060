"""The check of an expression graph's gradient, which the tests of the derivatives share."""

from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional

from kernels.expression import Graph, reference
from kernels.expression.expr import name, node
from kernels.expression.reference import loss_and_gradient, predict
from tests.helpers import assert_close, assert_near
from tests.strategies import OFFERED, Case


def one_operation(op: str) -> Graph:
    """xy = op(a*x), or op(a*x, b*x)."""
    args = [node("mul", name(parameter), name("x")) for parameter in "ab"[: OFFERED[op]]]
    expression = node(op, *args)
    return Graph.build({"xy": expression}, None, {"xy": f"xy = {expression}"})


def torch_loss(outputs: Tensor, targets: Tensor, loss: str) -> Tensor:
    """The loss of each run, as torch.nn.functional computes it: [R, B, T] -> [R]."""
    if loss == "cross_entropy":
        classes = targets.expand(*outputs.shape[:2], 1)[..., 0]
        return functional.cross_entropy(outputs.transpose(1, 2), classes, reduction="none").mean(1)
    errors = functional.mse_loss(outputs, targets.expand_as(outputs), reduction="none")
    return errors.mean((1, 2)) if loss == "mse" else errors.sum((1, 2))


def autograd(case: Case) -> tuple[Tensor, Tensor]:
    """(L, dL/dp) of the reference's forward pass, by torch's own autograd."""
    parameters = case.parameters.clone().requires_grad_()
    value = torch_loss(predict(case.graph, parameters, case.inputs), case.targets, case.loss)
    (gradient,) = torch.autograd.grad(value.sum(), parameters)
    return value.detach(), gradient


def finite(actual: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """Those of both that are finite in both, in units of the largest that was expected (1 at least)."""
    both = actual.isfinite() & expected.isfinite()
    unit = expected[both].abs().amax().clamp(min=1) if both.any() else 1.0
    return actual[both] / unit, expected[both] / unit


def assert_exact(case: Case) -> int:
    """The reference's loss and gradient agree with autograd's wherever both are finite; how many are."""
    actual = loss_and_gradient(case.graph, case.parameters, case.inputs, case.targets, case.loss)
    value, gradient = autograd(case)
    assert_close(*finite(actual[0], value))
    compared, expected = finite(actual[1], gradient)
    assert_close(compared, expected)
    return compared.numel()


def of(case: Case, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters, inputs and targets as a kernel gets them."""
    targets = case.targets if case.loss == "cross_entropy" else case.targets.to(dtype)
    return case.parameters.to(device, dtype), case.inputs.to(device, dtype), targets.to(device)


def agrees(
    backend: ModuleType,
    case: Case,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device = "cpu",
) -> None:
    """A backend's outputs, loss and gradient are the reference's wherever both are finite."""
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
        assert_near(*finite(actual.double(), expected), dtype)
