"""Perceptrons with any activation by machine code, against torch's autograd in float64."""

import ctypes
from itertools import pairwise
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from packtrain.kernels.common.llvm import KINDS, compiled
from packtrain.kernels.equations.activations import ACTIVATIONS, activation_of
from packtrain.kernels.layers import activations, products, source
from packtrain.kernels.layers.source import LayersSource, layers_source
from packtrain.kernels.layers.tiles import lanes_of
from packtrain.kernels.loss import loss_of
from tests.helpers import assert_near
from tests.kernels import edited
from tests.kernels.activation.activations import by_autograd

WIDTHS = (4, 7, 5, 2)


def made(name: str, dtype: torch.dtype, widths: tuple[int, ...] = WIDTHS) -> LayersSource:
    return layers_source(widths, True, loss_of("sse"), KINDS[dtype], activation_of(name))


def case(dtype: torch.dtype, samples: int = 21) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters [P], inputs [N, V], targets [N, T]."""
    generator = torch.Generator().manual_seed(samples)
    count = sum(o * (i + 1) for i, o in pairwise(WIDTHS))
    shapes = (count,), (samples, WIDTHS[0]), (samples, WIDTHS[-1])
    p, x, t = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)
    return p / 2, x, t


def by_machine_code(name: str, given: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The loss summed over the samples, and its gradient: [1 + P]."""
    p, inputs, targets = given
    text = made(name, p.dtype)
    code = compiled(text.text, "sums")
    x, t, size = inputs.T.contiguous(), targets.T.contiguous(), len(inputs)
    scratch, out = torch.full((text.room + 2,), torch.nan, dtype=p.dtype), torch.zeros(1 + len(p)).double()
    scratch[-1] = 7  # behind the room
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 11)(code.address["sums"])
    for start in range(0, size, text.block):
        data = x[:, start:].data_ptr(), size, t[:, start:].data_ptr(), size
        count = min(text.block, size - start)
        call(p.data_ptr(), 0, 0, start, *data, count, out.data_ptr(), scratch[1:].data_ptr())
    assert scratch[0].isnan() and scratch[-1] == 7
    return out


def by_torch(name: str, given: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    p, x, t = (part.double() for part in given)
    p = p.requires_grad_()
    shapes = [shape for i, o in pairwise(WIDTHS) for shape in ((o, i), (o,))]
    parts = [
        part.view(shape)
        for part, shape in zip(p.split([torch.Size(s).numel() for s in shapes]), shapes, strict=True)
    ]
    for weight, bias in zip(parts[:-2:2], parts[1:-2:2], strict=True):
        x = by_autograd(F.linear(x, weight, bias), name)
    loss = (F.linear(x, *parts[-2:]) - t).square().sum()
    return torch.cat([loss.detach()[None], torch.autograd.grad(loss, p)[0]])


def check(name: str, given: tuple[Tensor, Tensor, Tensor]) -> None:
    """The machine code's loss and gradient are torch's, and NaN where those are."""
    found, expected = by_machine_code(name, given), by_torch(name, given)
    assert found.isnan().equal(expected.isnan())
    assert_near(found.nan_to_num(0), expected.nan_to_num(0), given[0].dtype)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", [*ACTIVATIONS, "z", "sqrt(abs(z))"])
def test_loss_and_gradient_are_torchs(name: str) -> None:
    check(name, case(torch.float64))


@pytest.mark.parametrize("name", ["gelu", "sin"])
def test_in_float32_and_more_than_a_block(name: str) -> None:
    check(name, case(torch.float32, samples=made(name, torch.float32).block + 2 * lanes_of("float") - 1))


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_nan_reaches_the_loss_and_the_gradient(name: str) -> None:
    p, x, t = case(torch.float64)
    x[3, 0] = torch.nan
    assert by_torch(name, (p, x, t)).isnan().any()
    check(name, (p, x, t))


def test_the_code_of_an_equation_is_that_of_its_name() -> None:
    for name, row in ACTIVATIONS.items():
        assert made(name, torch.float32) == made(row.text, torch.float32)


def test_a_relu_keeps_no_slopes() -> None:
    relu, tanh = (made(name, torch.float32) for name in ("relu", "tanh"))
    assert tanh.room > relu.room and "@activated" in tanh.text
    assert "@activated" not in relu.text and "%apart" not in relu.text


def test_a_block_has_fewer_samples_where_there_are_slopes() -> None:
    wide = 4, 150, 150, 150, 2
    assert made("tanh", torch.float32, wide).block < made("relu", torch.float32, wide).block


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("module", "name", "old", "new"),
    [
        (activations, "add_activated", "store(values[activation.slope]", "store(values[activation.value]"),
        (activations, "add_activated", "store(values[activation.value]", "store(values[Z]"),
        (products, "products", "LLVM[activation.product](value, slope)", "value"),
    ],
)
def test_a_wrong_slope_is_rejected(
    module: ModuleType, name: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = case(torch.float64)
    check("silu", given)
    copy = edited.edited(module, old, new)
    monkeypatch.setattr(source, name, copy if name == "products" else getattr(copy, name))
    with pytest.raises(AssertionError):
        check("silu", given)
