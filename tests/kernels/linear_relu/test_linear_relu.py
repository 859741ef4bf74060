import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from packtrain.kernels.linear_relu.reference import linear_reference, linear_relu_reference
from tests.helpers import assert_close

R, B, I, O = 3, 7, 5, 4  # noqa: E741


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def by_torch(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """torch.nn.functional.linear, one run at a time."""
    return torch.stack(
        [
            functional.linear(x[run] if x.dim() == 3 else x, weight[run], None if bias is None else bias[run])
            for run in range(len(weight))
        ]
    )


Operands = tuple[Tensor, Tensor, Tensor | None]


def operands(per_run: bool, biased: bool, dtype: torch.dtype = torch.float64) -> Operands:
    x = drawn(R, B, I, dtype=dtype) if per_run else drawn(B, I, dtype=dtype)
    return x, drawn(R, O, I, dtype=dtype), drawn(R, O, dtype=dtype) if biased else None


def gradients(layer: Callable[..., Tensor], given: Operands) -> tuple[Tensor, ...]:
    leaves = [tensor.clone().requires_grad_() for tensor in given if tensor is not None]
    y = layer(*leaves, None) if given[2] is None else layer(*leaves)
    return torch.autograd.grad(y, leaves, drawn(R, B, O))


each_kind = pytest.mark.parametrize(
    ("per_run", "biased"), [(a, b) for a in (False, True) for b in (False, True)]
)


@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_linear_is_torchs_linear_of_each_run(per_run: bool, biased: bool, dtype: torch.dtype) -> None:
    x, weight, bias = operands(per_run, biased, dtype)
    y = linear_reference(x, weight, bias)
    assert y.dtype == dtype and y.shape == (R, B, O)
    exact = by_torch(x.double(), weight.double(), None if bias is None else bias.double())
    assert_close(y, exact)


@each_kind
def test_linear_relu_is_torchs_relu_of_it(per_run: bool, biased: bool) -> None:
    given = operands(per_run, biased)
    y = linear_relu_reference(*given)
    assert_close(y, torch.relu(by_torch(*given)))
    assert (y == 0).any() and (y > 0).any()


@each_kind
@pytest.mark.parametrize(
    ("layer", "definition"),
    [(linear_reference, by_torch), (linear_relu_reference, lambda *given: torch.relu(by_torch(*given)))],
)
def test_gradients_are_torchs(
    per_run: bool, biased: bool, layer: Callable[..., Tensor], definition: Callable[..., Tensor]
) -> None:
    given = operands(per_run, biased)
    for mine, theirs in zip(gradients(layer, given), gradients(definition, given), strict=True):
        assert_close(mine, theirs)


@each_kind
def test_gradcheck(per_run: bool, biased: bool) -> None:
    given = [tensor.requires_grad_() for tensor in operands(per_run, biased) if tensor is not None]
    assert torch.autograd.gradcheck(linear_relu_reference, tuple(given))


@each_kind
def test_a_bfloat16_product_is_close_and_keeps_the_weights_dtype(per_run: bool, biased: bool) -> None:
    given = operands(per_run, biased, torch.float32)
    y, exact = linear_relu_reference(*given, product="bf16"), linear_relu_reference(*given)
    assert y.dtype == torch.float32
    assert not y.equal(exact)
    assert_close(y, exact, torch.bfloat16)


def test_the_bias_is_not_rounded_to_the_product() -> None:
    bias = torch.full((1, 1), 1 + 2.0**-20)
    y = linear_reference(torch.zeros(1, 1), torch.ones(1, 1, 1), bias, product="bf16")
    assert y.item() == bias.item()


def test_nan_stays_nan_and_in_its_run() -> None:
    weight = drawn(R, O, I)
    clean = linear_relu_reference(drawn(B, I), weight)
    weight[1, 2, 3] = math.nan
    y = linear_relu_reference(drawn(B, I), weight)
    assert y[1, :, 2].isnan().all()
    assert int(y.isnan().sum()) == B
    assert_close(y[[0, 2]], clean[[0, 2]])


@pytest.mark.parametrize("per_run", [False, True])
def test_a_run_is_the_same_alone_and_in_its_pack(per_run: bool) -> None:
    x, weight, bias = operands(per_run, biased=True)
    assert bias is not None
    alone = linear_relu_reference(x[1:2] if per_run else x, weight[1:2], bias[1:2])
    assert_close(alone, linear_relu_reference(x, weight, bias)[1:2])


@pytest.mark.parametrize(
    ("runs", "samples", "features", "outputs"), [(1, 1, 1, 1), (2, 1, 3, 1), (1, 4, 1, 9)]
)
def test_sizes_of_one(runs: int, samples: int, features: int, outputs: int) -> None:
    given = drawn(samples, features), drawn(runs, outputs, features), drawn(runs, outputs)
    assert_close(linear_reference(*given), by_torch(*given))


def test_operands_that_are_not_contiguous_give_the_same() -> None:
    x, weight = drawn(B, R, I).transpose(0, 1), drawn(R, I, O).transpose(1, 2)
    assert not x.is_contiguous() and not weight.is_contiguous()
    assert_close(linear_reference(x, weight), by_torch(x, weight, None))
