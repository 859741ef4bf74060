"""Each activation against torch's, its slope against autograd's."""

import pytest
import torch
from torch import Tensor

from packtrain.kernels.activation import ACTIVATIONS, Activation, activation, activation_of
from packtrain.kernels.common.errors import UserError
from packtrain.kernels.equations import activations
from packtrain.kernels.equations.activations import Row
from packtrain.kernels.language.expr import number
from tests.helpers import assert_close
from tests.kernels.activation.activations import BY_TORCH

NAMED = pytest.mark.parametrize("name", ACTIVATIONS)
SMOOTH = torch.tensor([-30.0, -3.0, -0.5, 0.7, 2.0, 25.0], dtype=torch.float64)  # away from kinks


def check(name: str, z: Tensor, kind: Activation | None = None) -> None:
    """Value and gradient are torch's."""
    ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
    slope = torch.linspace(-2, 3, z.numel(), dtype=z.dtype).view_as(z)
    value, expected = activation(ours, kind or name), BY_TORCH[name](theirs)
    value.backward(slope)
    expected.backward(slope)
    assert_close(value.detach(), expected.detach())
    assert ours.grad is not None and theirs.grad is not None
    assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("name", BY_TORCH)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_torchs(name: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    check(name, (3 * torch.randn(40, 7, generator=generator, dtype=torch.float64)).to(dtype))


@NAMED
def test_every_row_is_compared_with_torch(name: str) -> None:
    check(name, SMOOTH)
    check(name, SMOOTH.new_zeros(1))
    module = activation_of(name).module
    if module is not None and name != "softplus":
        assert_close(activation(SMOOTH, name), getattr(torch.nn, module)()(SMOOTH))


@NAMED
def test_gradcheck(name: str) -> None:
    assert torch.autograd.gradcheck(lambda z: activation(z, name), SMOOTH.clone().requires_grad_())


@NAMED
def test_jacobians_by_torchs_transforms(name: str) -> None:
    def outputs(z: Tensor) -> tuple[Tensor, Tensor]:
        a = activation(z, name)
        return a, a

    z = SMOOTH.view(2, 3)
    slopes, _ = torch.func.vmap(torch.func.jacrev(outputs, has_aux=True))(z)
    leaf = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(BY_TORCH[name](leaf).sum(), leaf)
    assert_close(slopes.diagonal(dim1=1, dim2=2), expected)


@pytest.mark.parametrize("name", BY_TORCH)
def test_nan_stays_nan(name: str) -> None:
    z = torch.tensor([torch.nan, 1.0], requires_grad=True)
    a = activation(z, name)
    a.sum().backward()
    assert a.isnan().tolist() == [True, False]
    assert z.grad is not None and z.grad[1].isfinite()


def test_an_equation_is_the_row_of_the_same_equation() -> None:
    for name, row in ACTIVATIONS.items():
        assert activation_of(name) == activation_of(row.text)
        assert activation_of(row.text).module == row.module
    assert activation_of("silu(z)") == activation_of("silu") and activation_of("relu(z)").is_relu
    assert [name for name in ACTIVATIONS if activation_of(name).is_relu] == ["relu"]


def test_a_slope_that_is_infinite_gives_way_to_0() -> None:
    z = torch.tensor([0.0, 0.0, 4.0], requires_grad=True)
    activation(z, "sqrt(z)").backward(torch.tensor([0.0, 1.0, 1.0]))
    assert z.grad is not None and z.grad.tolist() == [0.0, torch.inf, 0.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gelo", r"model\.activation is one of relu, .*got 'gelo' \(did you mean gelu\?\)"),
        ("k*z", r"constants written as numbers; got 'k\*z', which has k"),
        ("heaviside(z)", r"'heaviside\(z\)' has no slope by z"),
        ("1 + 2", "has no slope by z"),
        ("z*", r"model\.activation: expected a number"),
    ],
)
def test_what_is_no_activation_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        activation_of(text)


@pytest.mark.parametrize(("name", "wrong"), [("tanh", "tanh(1.001*z)"), ("gelu", "z*sigmoid(1.702*z)")])
def test_a_wrong_row_is_rejected(name: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(name, SMOOTH)
    monkeypatch.setitem(activations.ACTIVATIONS, name, Row(wrong))
    with pytest.raises(AssertionError):
        check(name, SMOOTH)


@pytest.mark.parametrize("factor", [1.001, 0.0])
def test_a_wrong_slope_is_rejected(factor: float) -> None:
    tanh = activation_of("tanh")
    wrong = Activation(tanh.value)
    vars(wrong)["slope"] = tanh.slope * number(factor)
    check("tanh", SMOOTH, tanh)
    with pytest.raises(AssertionError):
        check("tanh", SMOOTH, wrong)
