"""Activations in Triton against the reference: interpreted, or compiled on a GPU."""

import pytest
import torch
from torch import Tensor

from packtrain.kernels.activation import ACTIVATIONS, activation, activation_of, kernel
from packtrain.kernels.activation.reference import activation_backward_reference, activation_reference
from packtrain.kernels.activation.triton_source import functions, registers
from tests.helpers import assert_close
from tests.kernels import edited
from tests.kernels.activation.activations import BY_TORCH

pytestmark = pytest.mark.usefixtures("poisoned")


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return (3 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)


def check(name: str, z: Tensor) -> None:
    """Value and gradient are the float64 reference's, NaN where it has NaN."""
    kind, dtype = activation_of(name), z.dtype
    da = torch.linspace(-3, 3, z.numel(), dtype=dtype, device=z.device).view_as(z)
    leaf = z.clone().requires_grad_()
    value = activation(leaf, kind, "triton")
    value.backward(da)
    assert value.dtype == dtype and leaf.grad is not None
    assert_close(value.detach(), activation_reference(z.double(), kind), dtype)
    assert_close(leaf.grad, activation_backward_reference(z.double(), da.double(), kind), dtype)


@pytest.mark.emulated
@pytest.mark.parametrize("name", BY_TORCH)
def test_every_activation(name: str, device: torch.device) -> None:
    for dtype in (torch.float32, torch.float64):
        z = drawn(1025, dtype=dtype).to(device)
        z[3] = torch.nan
        check(name, z)


@pytest.mark.parametrize("shape", [(1, 1), (7, 11), (1, 1024), (2, 1025)])
def test_any_shape(shape: tuple[int, ...], device: torch.device) -> None:
    check("gelu", drawn(*shape).to(device))
    check("silu", drawn(*shape).to(device).T)


def test_no_numbers() -> None:
    assert activation(torch.zeros(0, 3), "tanh", "triton").shape == (0, 3)


def test_differentiating_twice_is_refused() -> None:
    z = drawn(5).requires_grad_()
    (slope,) = torch.autograd.grad(activation(z, "tanh", "triton").square().sum(), z, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_the_functions_of_an_equation_are_those_of_its_name() -> None:
    for name, row in ACTIVATIONS.items():
        assert functions(activation_of(name)) == functions(activation_of(row.text))
        assert registers(activation_of(name)) is not None
    assert registers(activation_of("lgamma(z)")) is None


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("activation_fwd_kernel", "a, _ = activated(z)", "_, a = activated(z)"),
        ("activation_bwd_kernel", "passed_back(da, slope)", "passed_back(da, slope * slope)"),
    ],
)
def test_a_wrong_kernel_is_rejected(name: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check("tanh", drawn(50))
    edited.use(monkeypatch, kernel, name, old, new)
    with pytest.raises(AssertionError):
        check("tanh", drawn(50))
