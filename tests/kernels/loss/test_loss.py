import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from packtrain.kernels.loss import LOSSES, loss
from packtrain.kernels.loss import function as loss_function
from packtrain.kernels.loss.reference import Total
from tests.helpers import assert_close

R, B, T = 3, 5, 4


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def targets_of(kind: str, per_run: bool) -> Tensor:
    rows = (R, B) if per_run else (B,)
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randint(T, (*rows, 1), generator=generator) if kind == "cross_entropy" else 1 + drawn(*rows, T)
    )


def by_torch(outputs: Tensor, targets: Tensor, kind: str) -> Tensor:
    """torch.nn.functional's loss, one run at a time."""
    runs = []
    for run, y in enumerate(outputs):
        t = targets[run] if targets.dim() == 3 else targets
        if kind == "cross_entropy":
            runs.append(functional.cross_entropy(y, t[:, 0]))
        else:
            runs.append(functional.mse_loss(y, t, reduction={"mse": "mean", "sse": "sum"}[kind]))
    return torch.stack(runs)


def check(kind: str, per_run: bool) -> None:
    """Value and gradient are torch's, each run's gradient scaled by its own slope."""
    ours, theirs = (drawn(R, B, T).requires_grad_() for _ in range(2))
    targets, slope = targets_of(kind, per_run), drawn(R)
    actual, expected = loss(ours, targets, kind), by_torch(theirs, targets, kind)
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
    def wrong(outputs: Tensor, targets: Tensor, total: Total) -> tuple[Tensor, Tensor]:
        value, gradient = right(outputs, targets, total)
        return value, gradient * (1 + 1e-6)

    right = LOSSES[kind]
    monkeypatch.setitem(loss_function.LOSSES, kind, wrong)
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
    exact, _ = LOSSES[kind](drawn(R, B, T), targets)
    value, gradient = LOSSES[kind](
        drawn(R, B, T).to(dtype), targets.to(dtype) if targets.is_floating_point() else targets
    )
    assert value.dtype == gradient.dtype == dtype
    assert (value.shape, gradient.shape) == ((R,), (R, B, T))
    assert_close(value, exact)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_run_that_is_not_finite_leaves_its_neighbours_untouched(kind: str, poison: float) -> None:
    targets, outputs = targets_of(kind, per_run=False), drawn(R, B, T)
    clean = LOSSES[kind](outputs, targets)
    outputs[1, 2, 3] = poison
    dirty = LOSSES[kind](outputs, targets)
    for before, after in zip(clean, dirty, strict=True):
        assert not after[1].isfinite().all()
        assert after[[0, 2]].equal(before[[0, 2]])


def test_cross_entropy_of_large_logits_is_finite() -> None:
    outputs = torch.tensor([[[1e4, -1e4], [1e4, -1e4]]])
    value, gradient = LOSSES["cross_entropy"](outputs, torch.tensor([[0], [1]]))
    assert value.tolist() == [1e4]
    assert gradient.tolist() == [[[0, 0], [0.5, -0.5]]]


def test_a_perfect_fit_has_no_loss_and_no_gradient() -> None:
    for kind in ("mse", "sse"):
        value, gradient = LOSSES[kind](drawn(R, B, T), drawn(R, B, T))
        assert not value.any() and not gradient.any()


@pytest.mark.parametrize("kind", LOSSES)
def test_the_sum_over_samples_does_not_depend_on_their_memory_layout(kind: str) -> None:
    outputs, targets = drawn(R, B, T), targets_of(kind, per_run=True)
    strided = outputs.transpose(0, 2).contiguous().transpose(0, 2)
    assert not strided.is_contiguous()
    assert_close(LOSSES[kind](strided, targets)[1], LOSSES[kind](outputs, targets)[1])


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
