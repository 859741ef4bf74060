"""Trainings of perceptrons with any activation through Triton: interpreted, or compiled on a GPU."""

from dataclasses import replace

import pytest
import torch

from packtrain.kernels.descent.triton import layers_source as triton_layers_source
from packtrain.kernels.descent.triton import wide as triton_wide
from packtrain.kernels.descent.triton import wide_source as triton_wide_source
from packtrain.kernels.descent.triton.layers_source import layers_training
from packtrain.kernels.descent.triton.source import Cut
from packtrain.kernels.descent.triton.wide_source import ScratchTiles
from packtrain.kernels.equations.activations import ACTIVATIONS, activation_of
from packtrain.kernels.loss import loss_of
from tests.helpers import assert_near
from tests.kernels import edited
from tests.kernels.activation.activations import BY_TORCH
from tests.kernels.descent.trainings import Training, by_torch, by_triton, check, check_nan
from tests.kernels.descent.triton.test_layers import SGD, training, with_nan

pytestmark = pytest.mark.usefixtures("poisoned")

ONE = {"runs": 1, "steps": (1,)}


def scratch_of(activation: str, product: str = "ieee", widths: tuple[int, ...] = (2, 16, 2)) -> int:
    return layers_training(widths, True, loss_of("mse"), product, 4, activation_of(activation)).scratch


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Perceptrons of few features keep their values in scratch memory too, in tiles and blocks."""
    monkeypatch.setattr(triton_layers_source, "REGISTER_TILES", {})
    monkeypatch.setitem(triton_wide_source.SCRATCH_TILES, "ieee", ScratchTiles(16, 32, Cut(64, 8)))
    monkeypatch.setitem(triton_wide_source.AT_ONCE, "ieee", 512)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("activation", [name for name in BY_TORCH if name != "relu"])
def test_every_activation(activation: str) -> None:
    check(training(2, 7, 3, activation=activation, **ONE))


@pytest.mark.emulated
@pytest.mark.parametrize(("activation", "widths"), [("elu", (2, 7, 5, 3)), ("tanh", (9, 20, 1))])
def test_layers_in_registers(activation: str, widths: tuple[int, ...]) -> None:
    given = training(*widths, activation=activation)
    assert not given.kernel.scratch
    check(given)


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize("activation", ["gelu", "sqrt(abs(z))"])
@pytest.mark.usefixtures("scratch")
def test_layers_in_scratch_memory(activation: str) -> None:
    check(training(2, 20, 7, 3, activation=activation, size=200, batch=150, steps=(2, 1)))


@pytest.mark.emulated
def test_float64() -> None:
    check(training(3, 5, 20, 2, activation="silu", itemsize=8, **ONE))


@pytest.mark.emulated
@pytest.mark.parametrize(("product", "hidden"), [("tf32", 16), ("bf16", 40)])
def test_formats(product: str, hidden: int) -> None:
    given = training(2, hidden, 2, product=product, activation="tanh", **ONE)
    given = replace(given, optimizer="sgd", hyper=SGD)
    found, expected = by_triton(given, torch.float32), by_torch(given)
    for name in ("losses", "norms", "states"):
        assert_near(
            getattr(found, name), getattr(expected, name), {"bf16": torch.bfloat16}.get(product, product)
        )


@pytest.mark.sampled(1)
@pytest.mark.emulated
@pytest.mark.parametrize("widths", [(2, 7, 3), (3, 40, 2)])
def test_nan_reaches_the_loss_and_the_gradient(widths: tuple[int, ...]) -> None:
    check_nan(with_nan(training(*widths, activation="tanh"), "input"), torch.float32)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("hidden", [5, 40])
def test_packs_change_no_bit(hidden: int) -> None:
    given = training(2, hidden, 2, activation="gelu", order="own", size=20, batch=15, steps=(2,))
    whole = by_triton(given, torch.float32)
    assert by_triton(given.of(slice(1, 2)), torch.float32).equals(whole.of(slice(1, 2)))


def test_the_source_of_an_equation_is_that_of_its_name() -> None:
    for name, row in ACTIVATIONS.items():
        for hidden in (10, 40):
            sources = [
                layers_training((2, hidden, 2), True, loss_of("mse"), activation=activation_of(text)).source
                for text in (name, row.text)
            ]
            assert sources[0] == sources[1] and ("activated" in sources[0]) == (name != "relu")


def test_what_would_spill_lies_in_scratch_memory() -> None:
    for activation in ("tanh", "gelu", "sin", "z/(1 + abs(z))"):
        assert not scratch_of(activation) and scratch_of(activation, widths=(2, 33, 2))
    assert not scratch_of("silu", "bf16") and scratch_of("gelu", "bf16") and scratch_of("lgamma(z)")


def test_slopes_take_scratch_memory() -> None:
    relu, tanh = (scratch_of(name, widths=(2, 64, 64, 2)) for name in ("relu", "tanh"))
    assert tanh - relu == 2 * 64 * triton_wide_source.SCRATCH_TILES["ieee"].cut.block


def rejected(given: Training, wrong: Training) -> None:
    check(given)
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a1 = a1.to(dtype)", "a1 = (a1 * 1.01).to(dtype)"),
        ("a1, s1 = first_rows(a1, 7), first_rows(s1, 7)", "a1 = first_rows(a1, 6)"),
        (
            "d1 = rounded(passed_back(input_derivative(w2, d2, dtype, 'ieee'), s1)",
            "d1 = rounded(s1 * d2.sum()",
        ),
        ("tl.fma(da, slope,", "tl.fma(da, slope * slope,"),
    ],
)
def test_a_wrong_layer_is_rejected(old: str, new: str) -> None:
    given = training(2, 7, 3, activation="tanh", **ONE)
    rejected(given, given.edited(old, new))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tl.where(inside, slope, 0.0)", "tl.where(inside, a, 0.0)"),
        ("tl.where(inside, a, 0.0)", "tl.where(inside, slope, 0.0)"),
        ("passed_back(dx, tl.load(slope))", "dx"),
        ("(layer - 1) * WIDTH + i, n, BLOCK, SIDE, SPAN)", "layer * WIDTH + i, n, BLOCK, SIDE, SPAN)"),
    ],
)
@pytest.mark.usefixtures("scratch")
def test_a_wrong_layer_in_scratch_memory_is_rejected(old: str, new: str) -> None:
    given = training(2, 7, 5, 3, activation="tanh", **ONE)
    wrong = edited.edited(triton_wide, old, new)
    rejected(given, given.edited(triton_wide.__name__, wrong.__name__))
