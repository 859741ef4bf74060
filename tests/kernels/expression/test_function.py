from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.expression import expression, expression_loss, finite_difference, reference
from packtrain.kernels.language import parse
from tests.helpers import assert_close
from tests.kernels.expression.checks import autograd, near_where_finite, one_operation
from tests.losses import LOSSES
from tests.strategies import OFFERED, Case, cases, data, few

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"


def primer(loss: str = "mse", per_run: bool = False) -> Case:
    return data(parse(PRIMER, ["xy", "xw"]), loss, runs=3, samples=5, per_run=per_run, seed=3)


def loss_of(case: Case, parameters: Tensor, grad_delta: float | None = None) -> Tensor:
    return expression_loss(case.graph, parameters, case.inputs, case.targets, case.loss, grad_delta)


def gradient_of(case: Case, weights: Tensor | None = None, grad_delta: float | None = None) -> Tensor:
    parameters = case.parameters.clone().requires_grad_()
    loss_of(case, parameters, grad_delta).backward(
        torch.ones(len(parameters)) if weights is None else weights
    )
    assert parameters.grad is not None
    return parameters.grad


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
def test_gradcheck_of_the_primer(loss: str, per_run: bool) -> None:
    case = primer(loss, per_run)
    assert torch.autograd.gradcheck(lambda p: loss_of(case, p), case.parameters.requires_grad_())


@pytest.mark.sampled(16)
@pytest.mark.parametrize("op", OFFERED)
def test_gradcheck_of_each_operation(op: str) -> None:
    case = data(one_operation(op), "sse", runs=16, samples=1, per_run=True, seed=4)
    inside = loss_of(case, case.parameters).isfinite()  # the others are outside the domain
    assert inside.sum() >= 4
    inner = Case(case.graph, case.parameters[inside], case.inputs[inside], case.targets[inside], "sse")
    assert torch.autograd.gradcheck(lambda p: loss_of(inner, p), inner.parameters.requires_grad_())


@few
@given(cases(smooth=True))
def test_gradcheck_of_random_graphs(case: Case) -> None:
    assume(loss_of(case, case.parameters).abs().max() < 100)
    assert torch.autograd.gradcheck(
        lambda p: loss_of(case, p), case.parameters.requires_grad_(), rtol=1e-3, atol=1e-4
    )  # central differences of 1e-6: what steep graphs need


@few
@given(cases())
def test_the_gradient_of_random_graphs_is_autograds(case: Case) -> None:
    value, expected = autograd(case)
    near_where_finite(loss_of(case, case.parameters), value)
    finite = value.isfinite()  # torch's gradient of a loss that is NaN may be a number
    assume(near_where_finite(gradient_of(case)[finite], expected[finite]))


@pytest.mark.parametrize("grad_delta", [None, 1e-3])
def test_each_runs_gradient_is_scaled_by_its_own_slope(grad_delta: float | None) -> None:
    weights = torch.tensor([2.0, 0.0, -0.5], dtype=torch.float64)
    once, scaled = gradient_of(primer(), None, grad_delta), gradient_of(primer(), weights, grad_delta)
    assert_close(scaled, once * weights[:, None])


def test_grad_delta_chooses_finite_differences() -> None:
    case = primer()
    given = case.graph, case.parameters, case.inputs, case.targets, case.loss
    assert gradient_of(case).equal(reference.loss_and_gradient(*given)[1])
    assert gradient_of(case, grad_delta=0.1).equal(finite_difference.loss_and_gradient(*given, delta=0.1)[1])
    assert not gradient_of(case, grad_delta=0.1).allclose(gradient_of(case))


@pytest.mark.parametrize("grad_delta", [None, 1e-3])
def test_torch_records_one_node_and_not_the_operations(grad_delta: float | None) -> None:
    case = primer()
    parameters = case.parameters.requires_grad_()
    recorded = loss_of(case, parameters, grad_delta).grad_fn
    assert recorded is not None and recorded.name() == "KnownGradientFunctionBackward"
    behind = [next_node for next_node, _ in recorded.next_functions if next_node is not None]
    assert [getattr(next_node, "variable", None) is parameters for next_node in behind] == [True]


@pytest.mark.parametrize(
    ("reduce", "message"),
    [(torch.sum, "does not require grad"), (torch.linalg.vector_norm, "once_differentiable")],
)
def test_differentiating_twice_is_refused(reduce: Callable[[Tensor], Tensor], message: str) -> None:
    case = primer()
    parameters = case.parameters.requires_grad_()
    value = reduce(loss_of(case, parameters))
    (slope,) = torch.autograd.grad(value, parameters, create_graph=True)
    with pytest.raises(RuntimeError, match=message):
        slope.sum().backward()


def test_the_default_loss_is_the_mean_squared_error() -> None:
    case = primer("mse")
    value = expression_loss(case.graph, case.parameters, case.inputs, case.targets)
    assert value.equal(loss_of(case, case.parameters))


def test_an_unknown_loss_is_not_computed() -> None:
    with pytest.raises(UserError, match="did you mean huber"):
        expression_loss(parse("xy = a*x"), torch.ones(1, 1), torch.ones(2, 1), torch.ones(2, 1), "hubre")


def test_expression_is_the_prediction() -> None:
    case = primer()
    predicted = expression(case.graph, case.parameters, case.inputs)
    assert predicted.shape == (3, 5, 2)
    xa, (ab, ac, bc, cd) = case.inputs[:, 0], case.parameters[1]
    xy = ab * xa**2 + ac * xa
    assert_close(predicted[1], torch.stack([xy, cd * xa**2 + (bc * xa**2 + xy) ** 3], -1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inputs_that_are_not_contiguous_give_the_same(dtype: torch.dtype) -> None:
    case = primer(per_run=True)
    inputs, targets = (
        tensor.to(dtype).transpose(0, 1).contiguous().transpose(0, 1)
        for tensor in (case.inputs, case.targets)
    )
    assert not inputs.is_contiguous() and not targets.is_contiguous()
    value = expression_loss(case.graph, case.parameters.to(dtype), inputs, targets)
    assert value.dtype == dtype
    assert_close(value, loss_of(case, case.parameters))
