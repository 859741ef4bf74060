import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from packtrain.kernels.loss import function as loss_function
from packtrain.kernels.loss import loss, loss_of, loss_reference
from tests.helpers import assert_close
from tests.losses import LOSSES, targets_like, torch_loss

R, B, T = 3, 5, 4


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def targets_of(kind: str, per_run: bool) -> Tensor:
    return targets_like(drawn(*((R, B, T) if per_run else (B, T))), kind)


def by_definition(outputs: Tensor, targets: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    return loss_reference(loss_of(kind), outputs, targets)


def check(kind: str, per_run: bool) -> None:
    """Value and gradient are torch's, each run's gradient scaled by its own slope."""
    ours, theirs = (drawn(R, B, T).requires_grad_() for _ in range(2))
    targets, slope = targets_of(kind, per_run), drawn(R)
    actual, expected = loss(ours, targets, kind), torch_loss(theirs, targets, kind)
    assert_close(actual, expected)
    actual.backward(slope)
    expected.backward(slope)
    assert ours.grad is not None and theirs.grad is not None
    assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
def test_losses_and_gradients_are_torchs(kind: str, per_run: bool) -> None:
    check(kind, per_run)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_slightly_wrong_gradient_is_rejected(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*given: Any) -> tuple[Tensor, Tensor]:
        value, gradient = loss_reference(*given)
        return value, gradient * (1 + 1e-6)

    monkeypatch.setattr(loss_function, "loss_reference", wrong)
    with pytest.raises(AssertionError):
        check(kind, per_run=False)


@pytest.mark.parametrize("kind", LOSSES)
def test_gradcheck(kind: str) -> None:
    targets = targets_of(kind, per_run=True)
    assert torch.autograd.gradcheck(lambda y: loss(y, targets, kind), drawn(R, B, T).requires_grad_())


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradient_keep_the_outputs_dtype(kind: str, dtype: torch.dtype) -> None:
    targets = targets_of(kind, per_run=False)
    exact, _ = by_definition(drawn(R, B, T), targets, kind)
    value, gradient = by_definition(
        drawn(R, B, T).to(dtype), targets.to(dtype) if targets.is_floating_point() else targets, kind
    )
    assert value.dtype == gradient.dtype == dtype
    assert (value.shape, gradient.shape) == ((R,), (R, B, T))
    assert_close(value, exact)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_run_that_is_not_finite_leaves_its_neighbours_untouched(kind: str, poison: float) -> None:
    targets, outputs = targets_of(kind, per_run=False), drawn(R, B, T)
    clean = by_definition(outputs, targets, kind)
    outputs[1, 2, 3] = poison
    dirty = by_definition(outputs, targets, kind)
    for before, after in zip(clean, dirty, strict=True):
        assert math.isinf(poison) or not after[1].isfinite().all()
        assert after[[0, 2]].equal(before[[0, 2]])


def test_cross_entropy_of_large_logits_is_finite() -> None:
    outputs = torch.tensor([[[1e4, -1e4], [1e4, -1e4]]])
    value, gradient = by_definition(outputs, torch.tensor([[0], [1]]), "cross_entropy")
    assert value.tolist() == [1e4]
    assert gradient.tolist() == [[[0, 0], [0.5, -0.5]]]


def test_a_perfect_fit_has_no_loss_and_no_gradient() -> None:
    for kind in ("mse", "sse"):
        value, gradient = by_definition(drawn(R, B, T), drawn(R, B, T), kind)
        assert not value.any() and not gradient.any()


@pytest.mark.parametrize("kind", LOSSES)
def test_the_sum_over_samples_does_not_depend_on_their_memory_layout(kind: str) -> None:
    outputs, targets = drawn(R, B, T), targets_of(kind, per_run=True)
    strided = outputs.transpose(0, 2).contiguous().transpose(0, 2)
    assert not strided.is_contiguous()
    assert_close(by_definition(strided, targets, kind)[1], by_definition(outputs, targets, kind)[1])


@pytest.mark.parametrize(
    ("reduce", "message"),
    [(torch.sum, "does not require grad"), (torch.linalg.vector_norm, "once_differentiable")],
)
def test_differentiating_twice_is_refused(reduce: Callable[[Tensor], Tensor], message: str) -> None:
    outputs = drawn(R, B, T).requires_grad_()
    value = reduce(loss(outputs, targets_of("mse", per_run=False), "mse"))
    (slope,) = torch.autograd.grad(value, outputs, create_graph=True)
    with pytest.raises(RuntimeError, match=message):
        slope.sum().backward()


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("per_run", [False, True])
def test_triton_adds_the_same_loss_in_an_order_of_the_samples_alone(
    kind: str, per_run: bool, device: torch.device
) -> None:
    outputs, targets = drawn(R, B, T).to(device), targets_of(kind, per_run).to(device)
    value = loss(outputs, targets, kind, "triton")
    assert_close(value, loss(outputs, targets, kind))
    alone = loss(outputs[1:2], targets[1:2] if per_run else targets, kind, "triton")
    assert alone.equal(value[1:2])
