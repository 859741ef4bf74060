"""Trainings of perceptrons through Triton against steps of torch: interpreted, or compiled on a GPU."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from packtrain.kernels.descent.triton import descent as triton_descent
from packtrain.kernels.descent.triton import layers as triton_layers
from packtrain.kernels.descent.triton import layers_source as triton_layers_source
from packtrain.kernels.descent.triton import wide as triton_wide
from packtrain.kernels.descent.triton import wide_source as triton_wide_source
from packtrain.kernels.descent.triton.descent import TritonDescent
from packtrain.kernels.descent.triton.layers_source import layers_training
from packtrain.kernels.descent.triton.source import Cut
from packtrain.kernels.descent.triton.wide_source import ScratchTiles
from packtrain.kernels.equations.activations import activation_of
from packtrain.kernels.linear_relu.reference import linear_reference
from packtrain.kernels.loss import loss as by_outputs
from packtrain.kernels.loss import loss_of, with_weights
from packtrain.trainer.data.order import Order
from packtrain.trainer.models.mlp import layout
from tests.helpers import assert_near
from tests.kernels import edited
from tests.kernels.activation.activations import by_autograd
from tests.kernels.descent import trainings
from tests.kernels.descent.trainings import CPU, Training, by_torch, by_triton, check, check_nan
from tests.losses import LOSSES

pytestmark = pytest.mark.usefixtures("poisoned")

SGD = {name: torch.full((1,), 0.5) for name in ("momentum", "nesterov", "weight_decay")}


def training(
    *widths: int,
    bias: bool = True,
    loss: str = "mse",
    product: str = "ieee",
    itemsize: int = 4,
    order: str = "shared",
    size: int = 60,
    batch: int = 40,
    runs: int = 2,
    steps: tuple[int, ...] = (3, 2),
    weighted: bool = False,
    activation: str = "relu",
) -> Training:
    """A few steps of Adam on a perceptron."""
    generator = torch.Generator().manual_seed(sum(widths))
    shapes = layout(widths, bias)
    count = sum(torch.Size(shape).numel() for shape in shapes.values())

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def each(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64).repeat(runs)[:runs]

    def loss_and_gradient(p: Tensor, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        p = p.detach().requires_grad_()
        parts = p.split([torch.Size(shape).numel() for shape in shapes.values()], 1)
        named = [part.view(-1, *shape) for part, shape in zip(parts, shapes.values(), strict=True)]
        pairs = list(zip(named[::2], named[1::2], strict=True)) if bias else [(w, None) for w in named]
        y, w = (x[..., :-1], x[..., -1]) if weighted else (x, None)
        for weight, b in pairs[:-1]:
            y = by_autograd(linear_reference(y, weight, b, product), activation)
        outputs = linear_reference(y, *pairs[-1], product)
        value = by_outputs(outputs, t, kind, constants=constants[: len(p)], weights=w)
        return value.detach(), torch.autograd.grad(value.sum(), p)[0]

    kind = loss_of(loss, smoothed=True, weighted=weighted)
    constants = torch.linspace(0.2, 0.8, runs, dtype=torch.float64)[:, None].expand(-1, len(kind.constants))
    inputs = drawn(size, widths[0])
    classes = torch.randint(widths[-1], (size, 1), generator=generator)
    return Training(
        kernel=layers_training(widths, bias, kind, product, itemsize, activation_of(activation)),
        loss_and_gradient=loss_and_gradient,
        parameters=drawn(runs, count) / 2,
        inputs=with_weights(inputs, torch.arange(size) % 4 / 2) if weighted else inputs,
        targets=classes if loss == "cross_entropy" else drawn(size, widths[-1]),
        divisor=kind.terms(widths[-1]),
        optimizer="adam",
        hyper={
            "beta1": each((0.9,)),
            "beta2": each((0.99,)),
            "weight_decay": each((0.01, 0.0)),
            "eps": each((1e-3,)),
        },
        lr=each((0.02, 0.05)),
        steps=each(steps).long(),
        clip=each((1.0, torch.inf)),
        order=Order(size, batch, {"shared": torch.tensor(7), "own": torch.arange(runs) + 5}[order], CPU),
        constants=constants,
    )


def with_nan(given: Training, where: str) -> Training:
    """`given`, a NaN among what goes into a ReLU of its first run: by a weight, or by one run's input.

    The NaN weight is of one hidden feature, whose own gradient passes through its ReLU alone.
    """
    parameters, inputs = given.parameters.clone(), given.inputs.clone()
    if where == "weight":
        parameters[0, 0] = torch.nan
    else:
        inputs[3, 0] = torch.nan
    return replace(given, parameters=parameters, inputs=inputs)


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Perceptrons of few features keep their values in scratch memory too, in tiles, blocks and chunks."""
    monkeypatch.setattr(triton_layers_source, "REGISTER_TILES", {})
    monkeypatch.setitem(triton_wide_source.SCRATCH_TILES, "ieee", ScratchTiles(16, 32, Cut(64, 8)))
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 2)


@pytest.mark.sampled(4)
@pytest.mark.emulated
@pytest.mark.parametrize("widths", [(1, 5, 7, 2), (9, 20, 1), (4, 2), (6, 3, 3, 3, 9)])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_layers_and_losses(widths: tuple[int, ...], loss: str) -> None:
    check(training(*widths, loss=loss))


@pytest.mark.emulated
@pytest.mark.parametrize("loss", LOSSES[2::2])
def test_other_losses(loss: str) -> None:
    check(training(2, 4, 3, loss=loss, steps=(2, 1)))


@pytest.mark.sampled(2)
@pytest.mark.emulated
@pytest.mark.parametrize("widths", [(2, 5, 3), (3, 40, 2)])
@pytest.mark.parametrize("loss", ["mse", "huber", "cross_entropy"])
def test_weights_of_samples(widths: tuple[int, ...], loss: str) -> None:
    check(training(*widths, loss=loss, weighted=True, order="own"))


@pytest.mark.emulated
@pytest.mark.parametrize("order", ["shared", "own"])
def test_orders_chunks_and_layers_without_a_bias(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 1)
    check(training(2, 7, 3, bias=False, loss="sse", order=order, size=100, batch=75))


@pytest.mark.emulated
@pytest.mark.parametrize("widths", [(3, 16, 5, 2), (3, 64, 64, 2)])
@pytest.mark.parametrize("product", ["ieee", "tf32", "bf16"])
def test_formats(product: str, widths: tuple[int, ...]) -> None:
    """One step: a rounded gradient points where the exact one does, and Adam magnifies what is small."""
    given = replace(training(*widths, product=product, runs=1, steps=(1,)), optimizer="sgd", hyper=SGD)
    found, expected = by_triton(given, torch.float32), by_torch(given)
    for name in ("losses", "norms", "states"):
        format_ = {"bf16": torch.bfloat16, "ieee": torch.float32}.get(product, product)
        assert_near(getattr(found, name), getattr(expected, name), format_)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize(
    "given",
    [
        {"widths": (2, 20, 7, 3), "loss": "cross_entropy", "steps": (2, 1)},
        {"widths": (20, 3, 20), "order": "own", "bias": False, "runs": 1, "steps": (2,)},
        {"widths": (3, 2), "loss": "sse", "runs": 1, "steps": (1,)},
    ],
    ids=str,
)
@pytest.mark.usefixtures("scratch")
def test_layers_in_scratch_memory(given: dict[str, Any]) -> None:
    check(training(*given.pop("widths"), **{"size": 200, "batch": 150, **given}))


@pytest.mark.sampled
@pytest.mark.emulated
@pytest.mark.parametrize("where", ["weight", "input"])
@pytest.mark.parametrize(
    ("widths", "loss"), [((2, 7, 3), "mse"), ((9, 20, 5, 2), "cross_entropy"), ((3, 40, 2), "mse")]
)
def test_nan_reaches_the_loss_and_the_gradient(widths: tuple[int, ...], loss: str, where: str) -> None:
    check_nan(with_nan(training(*widths, loss=loss), where), torch.float32)


@pytest.mark.sampled
@pytest.mark.emulated
@pytest.mark.parametrize("where", ["weight", "input"])
@pytest.mark.parametrize(("product", "itemsize"), [("ieee", 8), ("tf32", 4), ("bf16", 4)])
def test_nan_passes_through_every_format(product: str, itemsize: int, where: str) -> None:
    given = with_nan(training(3, 10, 7, 2, product=product, itemsize=itemsize), where)
    check_nan(given, {8: torch.float64, 4: torch.float32}[itemsize])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return tl.where(z <= 0, 0.0, z)", "return tl.where(z > 0, z, 0.0)"),
        ("tl.where(x <= 0, 0.0, dx)", "tl.where(x > 0, dx, 0.0)"),
    ],
)
@pytest.mark.parametrize("widths", [(2, 7, 3), (9, 20, 5, 2)])
def test_a_layer_that_loses_nan_is_rejected(old: str, new: str, widths: tuple[int, ...]) -> None:
    given = with_nan(training(*widths), "weight")
    wrong = given.edited(triton_layers.__name__, edited.edited(triton_layers, old, new).__name__)
    with pytest.raises(AssertionError):
        check_nan(wrong)


@pytest.mark.thorough
@pytest.mark.usefixtures("scratch")
def test_a_layer_in_scratch_memory_that_loses_nan_is_rejected() -> None:
    given = with_nan(training(2, 20, 7, 3), "weight")
    check_nan(given)
    loses = edited.edited(triton_layers, "return tl.where(z <= 0, 0.0, z)", "return tl.where(z > 0, z, 0.0)")
    forward = edited.edited(triton_wide, "from .layers import", f"from {loses.__name__} import")
    backward = edited.edited(triton_wide, "tl.where(shut, 0.0, dx)", "tl.where(tl.load(at) > 0, dx, 0.0)")
    for wrong in (forward, backward):
        with pytest.raises(AssertionError):
            check_nan(given.edited(triton_wide.__name__, wrong.__name__))


@pytest.mark.parametrize("hidden", [10, 64])
def test_float32_is_float64_rounded(hidden: int, device: torch.device) -> None:
    check(training(2, hidden, 2, loss="cross_entropy", runs=1, steps=(2,)), torch.float32, device)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize(
    "given",
    [
        {"widths": (2, 10, 2), "loss": "cross_entropy", "order": "own"},
        {"widths": (3, 5, 9, 20, 6, 2), "bias": False},
        {"widths": (20, 70, 3), "size": 200, "batch": 150, "runs": 1, "steps": (1,)},
    ],
    ids=str,
)
def test_float64(given: dict[str, Any], device: torch.device) -> None:
    check(training(*given.pop("widths"), itemsize=8, **given), device=device)


@pytest.mark.parametrize(
    ("a", "b", "total"), [("w", "a", "z"), ("dz", "tl.trans(a)", "dw"), ("tl.trans(w)", "dz", "dx")]
)
def test_products_in_float32_are_not_those_of_float64(a: str, b: str, total: str) -> None:
    given = training(2, 20, 3, itemsize=8, runs=1, steps=(1,))
    old = f"tl.dot({a}, {b}, {total}, input_precision=PRECISION, out_dtype={total}.dtype)"
    new = f"{total} + tl.dot({a}.to(tl.float32), {b}.to(tl.float32), input_precision=PRECISION)"
    rounded = given.edited(
        "packtrain.kernels.descent.triton.wide", edited.edited(triton_wide, old, new).__name__
    )
    check(rounded, torch.float32)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        check(rounded)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize(("hidden", "dtype"), [(5, torch.float32), (33, torch.float32), (5, torch.float64)])
def test_slices_and_packs_change_no_bit(hidden: int, dtype: torch.dtype) -> None:
    given = training(
        2, hidden, 2, itemsize=dtype.itemsize, order="own", size=20, batch=15, runs=2, steps=(2,)
    )
    whole = by_triton(given, dtype)
    assert by_triton(given, dtype, each=1).equals(whole)
    assert by_triton(given.of(slice(1, 2)), dtype).equals(whole.of(slice(1, 2)))


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize(
    ("product", "dtype"), [("ieee", torch.float32), ("bf16", torch.float32), ("ieee", torch.float64)]
)
def test_scratch_memory_ends_where_the_last_value_does(
    product: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"size": 300, "batch": 260, "runs": 1, "steps": (1,)}
    given = training(3, 64, 2, product=product, itemsize=dtype.itemsize, **one)
    made: list[TritonDescent] = []

    def recorded(*arguments: Any) -> TritonDescent:
        made.append(TritonDescent(*arguments))
        return made[-1]

    monkeypatch.setattr(trainings, "TritonDescent", recorded)
    count = given.kernel.scratch
    by_triton(replace(given, kernel=replace(given.kernel, scratch=count + 4096)), dtype)
    assert made[0].scratch[:, count:].isnan().all() and made[0].scratch[:, count - 1].isfinite().all()


@pytest.mark.emulated
def test_diverging_neighbours_change_no_bit() -> None:
    calm = training(2, 5, 2, runs=3, steps=(3,))
    wild = torch.tensor([False, True, False])
    found = by_triton(replace(calm, lr=calm.lr.masked_fill(wild, 1e200)))
    assert (
        found.parameters.isfinite().all()
        and found.alive.equal(~wild)
        and found.of(~wild).equals(by_triton(calm).of(~wild))
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dw2 = weight_gradient(dw2, d2, a1", "dw2 = weight_gradient(dw2, d2, a1 * 1.01"),
        ("d1 = input_gradient(w2, d2, a1", "d1 = input_gradient(w2, d2, a1 + 1"),
        ("db1 += ", "db1 = "),
        ("a1 = relu(z1)", "a1 = (z1)"),
        ("dw1, chunk, scale", "dw1, 0, scale"),
    ],
)
def test_a_wrong_gradient_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 2)
    given = training(2, 7, 3, size=100, batch=75)
    check(given)
    wrong = given.edited(old, new)
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("exps / sum_of_exp[None, :]", "exps"),
        ("top = tl.max(y, 0)", "top = tl.min(y, 0)"),
        ("return tl.where(z <= 0, 0.0, z)", "return tl.where(z <= 0.5, 0.0, z)"),
        ("tl.where(x <= 0, 0.0, dx)", "dx"),
        ("before + sums", "sums"),
    ],
)
def test_a_wrong_layer_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 1)
    given = training(2, 7, 3, loss="cross_entropy", size=100, batch=75)
    check(given)
    wrong = given.edited(
        "packtrain.kernels.descent.triton.layers", edited.edited(triton_layers, old, new).__name__
    )
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tl.dot(w, a, z", "tl.dot(w * 1.01, a, z"),
        ("tl.dot(dz, tl.trans(a)", "tl.dot(dz, tl.trans(a * 1.01)"),
        ("tl.dot(tl.trans(w), dz", "tl.dot(tl.trans(w * 1.01), dz"),
        ("shut = tl.load(at) <= 0", "shut = tl.load(at) <= 0.5"),
        ("dw = tl.where(first, 0.0, tl.load(at))", "dw = tl.load(at) * 0"),
        ("tl.where(first, 0.0, tl.load(at)) + sums", "sums"),
        ("db += tl.sum(da", "db = tl.sum(da"),
        ("db += tl.sum(part", "db = tl.sum(part"),
        ("total += l", "total = l"),
        ("before + sums.to", "sums.to"),
        ("left - 1", "left - 2"),
    ],
)
@pytest.mark.usefixtures("scratch")
def test_a_wrong_layer_in_scratch_memory_is_rejected(old: str, new: str) -> None:
    given = training(2, 20, 3, size=200, batch=150, runs=1, steps=(1,))
    wrong = given.edited(
        "packtrain.kernels.descent.triton.wide", edited.edited(triton_wide, old, new).__name__
    )
    with pytest.raises(AssertionError):
        check(wrong)


def test_what_would_spill_is_kept_in_scratch_memory() -> None:
    for widths, product in (([2, 16, 3], "bf16"), ([30, 32, 1], "ieee"), ([16] * 4, "ieee")):
        assert not layers_training(widths, True, loss_of("mse"), product).scratch
    for widths, product in (([2, 33, 3], "ieee"), ([16] * 5, "ieee"), ([4, 16, 3], "tf32")):
        assert layers_training(widths, True, loss_of("mse"), product).scratch
    assert layers_training([2, 10, 2], True, loss_of("mse"), itemsize=8).scratch
