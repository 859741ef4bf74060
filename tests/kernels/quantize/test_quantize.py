import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.quantize import function, quantize
from packtrain.kernels.quantize.reference import quantize_reference
from tests.strategies import many

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


def drawn(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (-100 + 500 * torch.rand(7, 11, generator=generator, dtype=torch.float64)).to(dtype)


def gradient_at(x: Tensor, slope: Tensor, error: str = "add") -> Tensor:
    leaf = x.clone().requires_grad_()
    quantize(leaf, error=error).backward(slope)
    assert leaf.grad is not None
    return leaf.grad


def check(x: Tensor) -> None:
    """y = uint8(x) saturating, and dL/dx = dL/dy + (x - y), or dL/dy, all to the bit."""
    y = x.clamp(0, 255).to(torch.uint8).to(x.dtype)
    assert quantize(x).equal(y)
    slope = torch.linspace(-3, 3, x.numel(), dtype=x.dtype).view_as(x)
    assert gradient_at(x, slope).equal(slope + (x - y))
    assert gradient_at(x, slope, "drop").equal(slope)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantize_is_the_cast_and_adds_its_error_to_the_gradient(dtype: torch.dtype) -> None:
    check(drawn(dtype))


@many
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1))
def test_quantize_of_any_numbers(values: list[float]) -> None:
    check(torch.tensor(values))


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1 + 1e-6])
def test_a_wrong_error_is_rejected(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor) -> tuple[Tensor, Tensor]:
        quantized, error = quantize_reference(x)
        return quantized, error * factor

    monkeypatch.setattr(function, "quantize_reference", wrong)
    with pytest.raises(AssertionError):
        check(drawn())


def test_rounding_instead_of_cutting_off_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounding(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.clamp(0, 255).round(), x - x.clamp(0, 255).round()

    monkeypatch.setattr(function, "quantize_reference", rounding)
    with pytest.raises(AssertionError):
        check(drawn())


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        (0.0, 0, 0.0),
        (0.75, 0, 0.75),
        (1.0, 1, 0.0),
        (254.5, 254, 0.5),
        (255.0, 255, 0.0),
        (255.75, 255, 0.75),
        (256.0, 255, 1.0),
        (300.5, 255, 45.5),
        (-0.0, 0, 0.0),
        (-0.25, 0, -0.25),
        (-40.5, 0, -40.5),
        (math.inf, 255, math.inf),
        (-math.inf, 0, -math.inf),
    ],
)
def test_values_and_errors_at_the_edges(x: float, y: float, error: float) -> None:
    given_x = torch.tensor([x])
    assert quantize(given_x).tolist() == [y]
    assert gradient_at(given_x, torch.zeros(1)).tolist() == [error]


def test_inside_the_range_the_error_is_below_one() -> None:
    x = torch.linspace(0, 255.999, 5_000, dtype=torch.float64)
    _, error = quantize_reference(x)
    assert (error >= 0).all() and (error < 1).all()


@pytest.mark.parametrize("x", [-30.0, 400.0])
def test_descent_pulls_back_what_is_outside(x: float) -> None:
    value = torch.tensor([x])
    for _ in range(100):
        value = value - 0.1 * gradient_at(value, torch.zeros(1))
    assert -0.01 < value.item() < 256


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_nan_in_value_and_gradient(dtype: torch.dtype) -> None:
    x = torch.tensor([math.nan, 1.5], dtype=dtype)
    y = quantize(x)
    assert y.isnan().tolist() == gradient_at(x, torch.ones_like(x)).isnan().tolist() == [True, False]
    assert y[1] == 1


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_any_shape_keeps_its_shape(shape: tuple[int, ...]) -> None:
    assert quantize(torch.ones(shape)).shape == shape


def test_inputs_that_are_not_contiguous_give_the_same() -> None:
    x = drawn().t()
    assert not x.is_contiguous()
    check(x)


def test_a_dropped_error_is_not_kept() -> None:
    x = drawn().requires_grad_()
    kept, dropped = (quantize(x, error=error).grad_fn for error in ("add", "drop"))
    assert kept.saved_tensors[0] is not None and dropped.saved_tensors == (None,)  # pyright: ignore


def test_another_error_is_refused() -> None:
    with pytest.raises(UserError, match="error is one of add, drop; got 'ad'"):
        quantize(drawn(), error="ad")


def test_differentiating_twice_is_refused() -> None:
    x = drawn().requires_grad_()
    (slope,) = torch.autograd.grad(quantize(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
