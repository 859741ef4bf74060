"""Perceptrons' losses and gradients by machine code against torch's autograd in float64."""

import ctypes
from itertools import pairwise
from types import ModuleType

import pytest
import torch
from torch import Tensor

from packtrain.kernels.common.llvm import compiled
from packtrain.kernels.layers import gradients, losses, products, source
from packtrain.kernels.layers.tiles import ROWS, VECTORS, lanes_of
from packtrain.kernels.linear_relu.reference import linear_relu_chain_reference
from packtrain.kernels.loss import Loss, loss_of, with_weights
from packtrain.kernels.loss import loss as by_outputs
from tests.helpers import assert_near
from tests.kernels import edited
from tests.losses import LOSSES

SAMPLES = 21
KINDS = {torch.float32: "float", torch.float64: "double"}
Widths = tuple[int, ...]


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def case(
    widths: Widths, bias: bool, loss: str, dtype: torch.dtype, samples: int = SAMPLES, weighted: bool = False
) -> tuple[Tensor, ...]:
    """The parameters [P] of one run, inputs [N, V], targets [N, T], and weights [N] or [0]."""
    count = sum(o * (i + bias) for i, o in pairwise(widths))
    classes = (torch.arange(samples) % widths[-1])[:, None]
    targets = classes if loss == "cross_entropy" else drawn(samples, widths[-1], dtype=dtype)
    weights = (torch.arange(samples if weighted else 0) % 4 / 2).to(dtype)
    return drawn(count, dtype=dtype) / 2, drawn(samples, widths[0], dtype=dtype), targets, weights


def kind_of(loss: str, weighted: bool) -> tuple[Loss, Tensor]:
    """The loss, smoothed where it can be, and its constants [1, C]."""
    kind = loss_of(loss, smoothed=loss == "cross_entropy", weighted=weighted)
    return kind, torch.full((1, len(kind.constants)), 0.3, dtype=torch.float64)


def by_machine_code(
    widths: Widths, bias: bool, loss: str, given: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """The sum of the loss over the samples, and its gradient [P]: blocks are added in their order."""
    parameters, inputs, targets, weights = given
    kind, constants = kind_of(loss, weighted=bool(len(weights)))
    made = source.layers_source(widths, bias, kind, KINDS[parameters.dtype])
    code = compiled(made.text, "sums")
    whole = with_weights(inputs, weights) if kind.weighted else inputs
    x, t, c = whole.T.contiguous(), targets.T.contiguous(), constants.to(parameters.dtype)
    scratch = torch.full((made.room + 2,), torch.nan, dtype=parameters.dtype)
    scratch[-1] = 7  # behind the room
    out, size = torch.zeros(1 + len(parameters), dtype=torch.float64), len(inputs)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 11)(code.address["sums"])
    for start in range(0, size, made.block):
        count, room = min(made.block, size - start), scratch[1:].data_ptr()  # not aligned
        data = x[:, start:].data_ptr(), size, t[:, start:].data_ptr(), size
        call(parameters.data_ptr(), c.data_ptr(), 0, start, *data, count, out.data_ptr(), room)
    assert scratch[0].isnan() and scratch[-1] == 7
    return out[0], out[1:]


def by_torch(widths: Widths, bias: bool, loss: str, given: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    parameters, inputs, targets, weights = (
        part.double() if part.is_floating_point() else part for part in given
    )
    p, pairs, at = parameters.clone().requires_grad_(), [], 0
    for i, o in pairwise(widths):
        weight, at = p[at : at + o * i].view(1, o, i), at + o * i
        pairs.append((weight, p[at : at + o].view(1, o) if bias else None))
        at += o * bias
    kind, constants = kind_of(loss, weighted=bool(len(weights)))
    outputs = linear_relu_chain_reference(inputs, pairs, False)
    value = by_outputs(outputs, targets, kind, "reference", constants, weights if len(weights) else None)
    total = value[0] * (len(inputs) * kind.terms(widths[-1]) or 1)
    return total.detach(), torch.autograd.grad(total, p)[0]


def check(widths: Widths, bias: bool, loss: str, given: tuple[Tensor, ...]) -> None:
    """The machine code's loss and gradient are torch's, and NaN where those are."""
    dtype = given[0].dtype
    actual = by_machine_code(widths, bias, loss, given)
    for found, expected in zip(actual, by_torch(widths, bias, loss, given), strict=True):
        assert found.isnan().equal(expected.isnan())
        assert_near(found.nan_to_num(0), expected.nan_to_num(0), dtype)


def with_nan(given: tuple[Tensor, ...], where: str) -> tuple[Tensor, ...]:
    """`given`, a NaN in the first weight of the first hidden feature, or in one sample's input."""
    parameters, inputs, *rest = (part.clone() for part in given)
    if where == "weight":
        parameters[0] = torch.nan
    else:
        inputs[3, 0] = torch.nan
    return parameters, inputs, *rest


each_case = pytest.mark.parametrize(
    ("widths", "bias", "loss"),
    [
        ((1, 5, 2), True, "mse"),
        ((9, 6, 7, 3), True, "cross_entropy"),
        ((4, 3, 3, 2), False, "sse"),
    ],
)


@pytest.mark.sampled(3)
@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_torchs(widths: Widths, bias: bool, loss: str, dtype: torch.dtype) -> None:
    check(widths, bias, loss, case(widths, bias, loss, dtype))


@pytest.mark.sampled
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_loss(loss: str, weighted: bool) -> None:
    widths, dtype = (3, 4, 2), torch.float64
    check(widths, True, loss, case(widths, True, loss, dtype, weighted=weighted))


@pytest.mark.sampled(2)
@each_case
@pytest.mark.parametrize("where", ["weight", "input"])
def test_nan_reaches_the_loss_and_the_gradient(widths: Widths, bias: bool, loss: str, where: str) -> None:
    given = with_nan(case(widths, bias, loss, torch.float32), where)
    loss_of_all, gradient = by_torch(widths, bias, loss, given)
    assert loss_of_all.isnan() and gradient.isnan().any()
    check(widths, bias, loss, given)


@pytest.mark.parametrize("kind", ["float", "double"])
def test_every_tile_and_more_than_a_block(kind: str) -> None:
    """Features that fill tiles of each height, samples that fill each width, a last vector in part."""
    dtype = {kind: dtype for dtype, kind in KINDS.items()}[kind]
    widths, loss = (2 * ROWS + 3, ROWS + 1, 2 * ROWS + 2, 3), "cross_entropy"
    block = source.layers_source(widths, True, loss_of(loss), kind).block
    samples = block + sum(VECTORS) * lanes_of(kind) - 1
    check(widths, True, loss, case(widths, True, loss, dtype, samples))


def test_a_relu_passes_nothing_back_at_0() -> None:
    widths, bias, loss = (3, 5, 2), True, "mse"
    parameters, *data = case(widths, bias, loss, torch.float64)
    parameters[: 5 * (3 + bias)] = 0
    check(widths, bias, loss, (parameters, *data))
    assert not by_machine_code(widths, bias, loss, (parameters, *data))[1][: 5 * (3 + bias)].any()


def test_one_sample() -> None:
    check((3, 2, 1), True, "mse", case((3, 2, 1), True, "mse", torch.float64, samples=1))


def test_a_block_has_fewer_samples_where_there_are_more_features() -> None:
    blocks = [source.layers_source([w, w, w, w, 4], True, loss_of("mse"), "float").block for w in (4, 512)]
    assert blocks[0] > blocks[1]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (products, "where(value < low, low, value)", "where(value > low, value, low)"),
        (products, "lanes) <= 0, 0, value)", "lanes) > 0, value, 0)"),
    ],
)
def test_a_layer_that_loses_nan_is_rejected(
    module: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths, bias, loss = (4, 6, 3), True, "mse"
    given = with_nan(case(widths, bias, loss, torch.float32), "weight")
    check(widths, bias, loss, given)
    use(monkeypatch, module, old, new)
    with pytest.raises(AssertionError):
        check(widths, bias, loss, given)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (products, "            if bias", "            if not bias"),
        (products, "where(body.load(place, kind, lanes) <= 0, 0, value)", "value"),
        (losses, "body.load(place, kind, lanes) / of_all", "body.load(place, kind, lanes)"),
        (losses, "top - of_class", "top + of_class"),
        (losses, "where(counts, value if", "where(counts | ~counts, value if"),
        (losses, "(1 - smoothing) * wanted", "wanted"),
        (gradients, "lane + half for lane in low", "lane for lane in low"),
    ],
)
def test_a_wrong_layer_is_rejected(
    module: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths, bias, loss = (4, 6, 3), True, "cross_entropy"
    given = case(widths, bias, loss, torch.float64)
    check(widths, bias, loss, given)
    use(monkeypatch, module, old, new)
    with pytest.raises(AssertionError):
        check(widths, bias, loss, given)


def use(monkeypatch: pytest.MonkeyPatch, module: ModuleType, old: str, new: str) -> None:
    """Lets the source be made by an edited copy of `module`."""
    monkeypatch.setattr(source, module.__name__.rpartition(".")[2], edited.edited(module, old, new))
