"""Perceptrons' losses and gradients through Numba against torch's autograd in float64."""

from itertools import pairwise
from types import ModuleType

import pytest
import torch
from torch import Tensor

from packtrain.kernels.common import source_cache
from packtrain.kernels.descent.numba import layers
from packtrain.kernels.descent.numba.source import layers_training
from packtrain.kernels.linear_relu.reference import linear_relu_chain_reference
from packtrain.kernels.loss import loss as loss_of
from tests.helpers import assert_near
from tests.kernels import edited

SAMPLES = 21


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def case(widths: tuple[int, ...], bias: bool, loss: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """The parameters [P] of one run, inputs [N, V] and targets [N, T]."""
    count = sum(o * (i + bias) for i, o in pairwise(widths))
    classes = (torch.arange(SAMPLES) % widths[-1])[:, None]
    targets = classes if loss == "cross_entropy" else drawn(SAMPLES, widths[-1], dtype=dtype)
    return drawn(count, dtype=dtype) / 2, drawn(SAMPLES, widths[0], dtype=dtype), targets


def by_numba(
    widths: tuple[int, ...], bias: bool, loss: str, given: tuple[Tensor, ...], module: ModuleType = layers
) -> tuple[Tensor, Tensor]:
    """The sum of the loss over the samples, and its gradient [P], through the functions of `module`."""
    source = layers_training(widths, bias, loss, "adam")
    assert layers.__name__ in source
    code = source_cache.load(source.replace(layers.__name__, module.__name__))
    parameters, inputs, targets = given
    gradient = torch.full_like(parameters, torch.nan)
    x, t = inputs.T.contiguous(), targets.T.contiguous()
    total = code.sums(parameters.numpy(), x.numpy(), t.numpy(), 0, SAMPLES, gradient.numpy())
    return torch.tensor(float(total), dtype=parameters.dtype), gradient


def by_torch(
    widths: tuple[int, ...], bias: bool, loss: str, given: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    parameters, inputs, targets = (part.double() if part.is_floating_point() else part for part in given)
    p, pairs, at = parameters.clone().requires_grad_(), [], 0
    for i, o in pairwise(widths):
        weight, at = p[at : at + o * i].view(1, o, i), at + o * i
        pairs.append((weight, p[at : at + o].view(1, o) if bias else None))
        at += o * bias
    terms = {"sse": 1, "mse": SAMPLES * widths[-1], "cross_entropy": SAMPLES}[loss]
    total = loss_of(linear_relu_chain_reference(inputs, pairs, False), targets, loss)[0] * terms
    return total.detach(), torch.autograd.grad(total, p)[0]


def check(
    widths: tuple[int, ...], bias: bool, loss: str, given: tuple[Tensor, ...], module: ModuleType = layers
) -> None:
    """Numba's loss and gradient are torch's, and NaN where those are."""
    dtype = given[0].dtype
    actual = by_numba(widths, bias, loss, given, module)
    for found, expected in zip(actual, by_torch(widths, bias, loss, given), strict=True):
        assert found.isnan().equal(expected.isnan())
        assert_near(found.nan_to_num(0), expected.nan_to_num(0), dtype)


def with_nan(given: tuple[Tensor, ...], where: str) -> tuple[Tensor, ...]:
    """`given`, a NaN in the first weight of the first hidden feature, or in one sample's input."""
    parameters, inputs, targets = (part.clone() for part in given)
    if where == "weight":
        parameters[0] = torch.nan
    else:
        inputs[3, 0] = torch.nan
    return parameters, inputs, targets


each_case = pytest.mark.parametrize(
    ("widths", "bias", "loss"),
    [
        ((1, 5, 2), True, "mse"),
        ((9, 6, 7, 3), True, "cross_entropy"),
        ((4, 3, 3, 2), False, "sse"),
    ],
)


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_torchs(
    widths: tuple[int, ...], bias: bool, loss: str, dtype: torch.dtype
) -> None:
    check(widths, bias, loss, case(widths, bias, loss, dtype))


@each_case
@pytest.mark.parametrize("where", ["weight", "input"])
def test_nan_reaches_the_loss_and_the_gradient(
    widths: tuple[int, ...], bias: bool, loss: str, where: str
) -> None:
    given = with_nan(case(widths, bias, loss, torch.float32), where)
    loss_of_all, gradient = by_torch(widths, bias, loss, given)
    assert loss_of_all.isnan() and gradient.isnan().any()
    check(widths, bias, loss, given)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y[o, n] > zero or isnan(y[o, n])", "y[o, n] > zero"),
        ("zero if x[i, n] <= zero else dx[i, n]", "dx[i, n] if x[i, n] > zero else zero"),
    ],
)
def test_a_layer_that_loses_nan_is_rejected(old: str, new: str) -> None:
    widths, bias, loss = (4, 6, 3), True, "mse"
    given = with_nan(case(widths, bias, loss, torch.float32), "weight")
    check(widths, bias, loss, given)
    with pytest.raises(AssertionError):
        check(widths, bias, loss, given, edited.edited(layers, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y[o, n] = start", "y[o, n] = zero"),
        ("zero if x[i, n] <= zero else dx[i, n]", "dx[i, n]"),
        ("dz[k, n] /= sum_of_exp", "dz[k, n] /= one"),
    ],
)
def test_a_wrong_layer_is_rejected(old: str, new: str) -> None:
    widths, bias, loss = (4, 6, 3), True, "cross_entropy"
    given = case(widths, bias, loss, torch.float64)
    check(widths, bias, loss, given)
    with pytest.raises(AssertionError):
        check(widths, bias, loss, given, edited.edited(layers, old, new))
