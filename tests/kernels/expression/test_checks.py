"""The checks that the other tests rely on reject what they must."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from packtrain.kernels.expression import reference
from packtrain.kernels.language import parse
from tests.helpers import assert_close, assert_near
from tests.kernels.expression import checks
from tests.kernels.expression.checks import agrees, assert_exact, assert_jacobian_exact, finite
from tests.strategies import data

CASE = data(parse("xy = a*x^2 + b\nxz = exp(b*x)", ["xy", "xz"]), "mse", 2, samples=3, per_run=False, seed=1)


def everywhere(number: float) -> Callable[[Tensor], Tensor]:
    return lambda tensor: torch.full_like(tensor, number)


def in_one_place(number: float) -> Callable[[Tensor], Tensor]:
    def edited(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[-1] = number
        return tensor

    return edited


WRONG = {
    **{f"{number} everywhere": everywhere(number) for number in (torch.nan, torch.inf, -torch.inf, 0.0)},
    **{f"{number} once": in_one_place(number) for number in (torch.nan, torch.inf, -torch.inf, 0.0)},
    "nothing": lambda tensor: tensor[:0],
    "nearly": lambda tensor: tensor * 1.001,
}
wrong = pytest.mark.parametrize("edit", WRONG.values(), ids=WRONG)


def edited(function: Callable[..., Any], edit: Callable[[Tensor], Tensor], place: int | None) -> Any:
    """`function`, whose result (the one at `place`, of several) is edited."""

    def wrong(*args: Any) -> Any:
        result = function(
            *(
                argument.double()
                if isinstance(argument, Tensor) and argument.is_floating_point()
                else argument
                for argument in args
            )
        )
        dtype = args[1].dtype
        if place is None:
            return edit(result.to(dtype))
        return tuple((edit(part) if i == place else part).to(dtype) for i, part in enumerate(result))

    return wrong


@wrong
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("part", ["outputs", "loss", "gradient"])
def test_a_wrong_backend_does_not_agree(
    edit: Callable[[Tensor], Tensor], dtype: torch.dtype, part: str
) -> None:
    backend = ModuleType("backend")
    place = {"outputs": -1, "loss": 0, "gradient": 1}[part]
    backend.__dict__["predict"] = edited(reference.predict, edit if part == "outputs" else lambda y: y, None)
    backend.__dict__["loss_and_gradient"] = edited(reference.loss_and_gradient, edit, place)
    with pytest.raises(AssertionError):
        agrees(backend, CASE, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_reference_agrees(dtype: torch.dtype) -> None:
    assert agrees(reference, CASE, dtype) == 12 + 2 + 4


@wrong
@pytest.mark.parametrize("place", [0, 1])
def test_a_wrong_gradient_is_not_exact(
    edit: Callable[[Tensor], Tensor], place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assert_exact(CASE) == 4
    monkeypatch.setattr(checks, "loss_and_gradient", edited(reference.loss_and_gradient, edit, place))
    with pytest.raises(AssertionError):
        assert_exact(CASE)


@wrong
@pytest.mark.parametrize("place", [0, 1])
def test_a_wrong_jacobian_is_not_exact(
    edit: Callable[[Tensor], Tensor], place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assert_jacobian_exact(CASE) == 24
    monkeypatch.setattr(checks, "jacobian", edited(reference.jacobian, edit, place))
    with pytest.raises(AssertionError):
        assert_jacobian_exact(CASE)


def test_what_is_out_of_range_need_not_be_finite() -> None:
    known = torch.tensor([1.0, 1e300, torch.nan, torch.inf, 4.0], dtype=torch.float64)
    computed = torch.tensor([1.0, torch.inf, 3.0, 5.0, 4.0])
    actual, expected = finite(computed, known)
    assert actual.tolist() == expected.tolist() == [0.25, 1.0]
    with pytest.raises(AssertionError, match="1 of 3 numbers that are known aren't finite"):
        finite(computed.double(), known)


@pytest.mark.parametrize("check", [assert_close, assert_near])
def test_a_comparison_of_nothing_is_none(check: Callable[[Tensor, Tensor], None]) -> None:
    for nothing in (torch.ones(0), torch.full((3,), torch.nan)):
        with pytest.raises(AssertionError, match="nothing"):
            check(nothing, nothing)
