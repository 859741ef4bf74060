"""The fused cast against the reference, to the bit: interpreted, or compiled on a GPU."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.quantize import kernel, quantize
from packtrain.kernels.quantize.reference import quantize_reference
from tests.kernels import edited
from tests.strategies import few

pytestmark = pytest.mark.usefixtures("poisoned")


def check(x: Tensor) -> None:
    """The cast, its error and the gradient are the reference's, NaN where it has NaN."""
    for actual, expected in zip(kernel.quantize_fwd(x), quantize_reference(x), strict=True):
        assert actual is not None
        assert actual.dtype == x.dtype
        torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
    slope = torch.linspace(-3, 3, x.numel(), dtype=x.dtype, device=x.device).view_as(x)
    for error, expected in (("add", slope + quantize_reference(x)[1]), ("drop", slope)):
        given_x = x.clone().requires_grad_()
        y = quantize(given_x, "triton", error)
        y.backward(slope)
        torch.testing.assert_close(y, quantize_reference(x)[0], rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(given_x.grad, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.emulated
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7, 11), (1023,), (1024,), (2, 1025)])
def test_any_shape(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
    generator = torch.Generator().manual_seed(1)
    check((-100 + 500 * torch.rand(shape, generator=generator)).to(device, dtype))


@few
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1))
def test_any_numbers(values: list[float]) -> None:
    check(torch.tensor(values))


@pytest.mark.emulated
def test_the_edges(device: torch.device) -> None:
    edges = [0.0, -0.0, 0.75, 1.0, 254.5, 255.0, 255.75, 256.0, -0.25, -40.5, math.inf, -math.inf, math.nan]
    check(torch.tensor(edges, device=device))


def test_inputs_that_are_not_contiguous_or_aligned_give_the_same(device: torch.device) -> None:
    x = torch.linspace(-10, 300, 77, device=device)
    check(x.view(7, 11).t())
    check(x[1:])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(wide - quantized)", "(quantized - wide)"),
        ("tl.floor(clamped)", "tl.floor(clamped + 0.5)"),
    ],
)
def test_a_wrong_kernel_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.linspace(-10, 300, 77)
    check(x)
    edited.use(monkeypatch, kernel, "quantize_kernel", old, new)
    with pytest.raises(AssertionError):
        check(x)
