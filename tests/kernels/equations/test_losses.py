"""Losses as equations: what is read, what is refused, and that each has the slope of its value."""

import math

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.equations.losses import LOSSES, RANGES, check_constants, loss_of
from packtrain.kernels.loss import loss_reference
from tests.losses import SMOOTH_LOSSES, targets_like


@pytest.mark.parametrize("name", LOSSES)
def test_a_rows_equation_by_itself_is_the_same_loss(name: str) -> None:
    row, own = loss_of(name), loss_of(LOSSES[name].text)
    assert (own.value, own.slope, own.constants) == (row.value, row.slope, row.constants)
    assert own.mean


@pytest.mark.parametrize("name", SMOOTH_LOSSES)
@pytest.mark.parametrize("smoothed", [False, True])
def test_the_gradient_is_that_of_the_value(name: str, smoothed: bool) -> None:
    loss = loss_of(name, smoothed)
    outputs = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = targets_like(outputs, name)
    constants = torch.tensor([[0.3], [0.7]], dtype=torch.float64)[:, : len(loss.constants)]
    value, slope = loss_reference(loss, outputs, targets, constants)
    step = 1e-6
    for index in ((0, 0, 0), (1, 2, 3)):
        moved = outputs.clone()
        moved[index] += step
        rise = loss_reference(loss, moved, targets, constants)[0] - value
        assert (rise[index[0]] / step).item() == pytest.approx(slope[index].item(), abs=2e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hubre", "did you mean huber"),
        ("t^2", "has no slope by the output y"),
        ("sign(y - t)", "has no slope by the output y"),
        ("(y - t", "expected ')'"),
        ("where(y, t)", "where takes 3 arguments"),
    ],
)
def test_what_is_no_loss_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"model\.loss") as refused:
        loss_of(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("loss", "given", "message"),
    [
        ("huber", {"dleta": 1.0}, "did you mean delta"),
        ("mse", {"delta": 1.0}, "mse has no constant 'delta'; it has none"),
        ("huber", {"delta": 0}, "delta is more than 0; got 0"),
        ("huber", {"delta": True}, "delta is a finite number; got True"),
        ("huber", {"delta": "small"}, "delta is a finite number; got 'small'"),
        ("quantile", {"q": 1.0}, "q is between 0 and 1; got 1"),
        ("k*(y - t)^4", {}, "model.loss names k, which has no value: model.loss_constants={k: 1.0}"),
        ("mae + (y - t)^4", {}, "model.loss names mae, which has no value: write its equation, abs(y - t)"),
    ],
)
def test_constants_that_do_not_fit_are_refused(loss: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=r"model\.loss") as refused:
        check_constants(loss_of(loss), given)
    assert message in str(refused.value)


def test_constants_that_differ_between_runs_have_their_values_elsewhere() -> None:
    check_constants(loss_of("k*(y - t)^4"), {}, ["k"])
    check_constants(loss_of("cross_entropy", smoothed=True), {"label_smoothing": 0.0})
    with pytest.raises(UserError, match="has no constant 'q'"):
        check_constants(loss_of("mse"), {}, ["q"])


def test_every_default_lies_in_its_range() -> None:
    for name, row in LOSSES.items():
        check_constants(loss_of(name), row.constants)
        assert set(row.constants) <= set(RANGES)


def test_the_constants_of_ones_own_equation_have_no_range() -> None:
    check_constants(loss_of("abs(y - t)^q"), {"q": 3.0})
    with pytest.raises(UserError, match="q is a finite number"):
        check_constants(loss_of("abs(y - t)^q"), {"q": math.inf})
