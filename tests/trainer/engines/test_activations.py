"""Perceptrons with each activation: all ways to train come to the same, and to the same bits in any pack."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.equations.activations import ACTIVATIONS, activation_of
from packtrain.trainer.engines.build import first_order
from packtrain.trainer.models.mlp import MLPModel
from tests.helpers import assert_close
from tests.kernels.activation.activations import by_autograd
from tests.strategies import few
from tests.trainer.configs import untrained

DIABETES = (
    "~experiment", "model=mlp", "model.loss=mse", "data=sklearn", "data.set=diabetes",
    "data.standardize=true", "loop.batch_size=16", "loop.steps=2", "optimizer.lr=1e-3",
)  # fmt: skip
WAYS = ("step reference", "step triton", "fused numba", "fused triton")
SEEDS = 'pack.over={seed: "range(0,2)"}'


def trained(way: str, *overrides: str) -> Tensor:
    """The parameters that a training ends with."""
    engine, backend = way.split()
    made = first_order(*untrained(*DIABETES, f"engine={engine}", f"compute.backend={backend}", *overrides))
    while not made.done:
        made.advance(min(made.horizon, 2))
    return made.model.parameters.detach()


def model_of(widths: tuple[int, ...], activation: str, **more: Any) -> MLPModel:
    count = sum(o * (i + 1) for i, o in pairwise(widths))
    generator = torch.Generator().manual_seed(count)
    p = torch.randn(2, count, generator=generator, dtype=torch.float64)
    return MLPModel(p / 2, widths, True, "mse", activation=activation, **more)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "z*sigmoid(1.702*z)"])
def test_every_way_to_train_agrees(activation: str) -> None:
    given = (f"model.activation='{activation}'", "model.widths=[10,3,1]")
    reference = trained(WAYS[0], *given, "compute.precision=fp64")
    for way in WAYS[1:]:
        single = way == "fused triton" and activation != "relu"  # in float64 it would spill, and is refused
        end = trained(way, *given, f"compute.precision={'fp32' if single else 'fp64'}")
        assert_close(end, reference.to(end.dtype))


@settings(few, max_examples=2)
@given(st.sampled_from(list(ACTIVATIONS)), st.lists(st.integers(1, 9), min_size=1, max_size=3), st.booleans())
def test_random_perceptrons(activation: str, hidden: list[int], bias: bool) -> None:
    widths = ",".join(map(str, (10, *hidden, 1)))
    given = (f"model.activation={activation}", f"model.widths=[{widths}]", f"model.bias={bias}")
    reference = trained(WAYS[0], *given, "compute.precision=fp64")
    assert_close(trained("fused numba", *given, "compute.precision=fp64"), reference)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("way", ["step reference", "fused numba"])
def test_an_equation_has_the_bits_of_its_name(way: str) -> None:
    for name in ("gelu", "leaky_relu"):
        named, written = (
            trained(way, f'model.activation="{text}"', "model.widths=[10,5,1]")
            for text in (name, ACTIVATIONS[name].text)
        )
        assert named.equal(written)


@pytest.mark.parametrize("way", ["step triton", "fused numba"])
def test_packs_change_no_bit(way: str) -> None:
    given = ("model.activation=gelu", "model.widths=[10,5,1]")
    pack = trained(way, *given, SEEDS)
    for seed in range(2):
        assert trained(way, *given, f"seed={seed}")[0].equal(pack[seed])


def test_relu_is_a_chain_of_layers() -> None:
    inputs = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    relu = model_of((3, 5, 4, 2), "relu")
    other = model_of((3, 5, 4, 2), "where(z > 0, z, 0*z)")
    assert relu.activation.is_relu and not other.activation.is_relu
    assert_close(other.predict(inputs).detach(), relu.predict(inputs).detach())


def test_quantized_layers_see_whole_numbers_behind_an_activation() -> None:
    inputs = 3 * torch.rand(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = model_of((3, 5, 2), "softplus", quantized=[1])
    named = model.named()
    hidden = by_autograd(inputs @ named["weight_0"].mT + named["bias_0"][:, None], "softplus")
    expected = hidden.clamp(0, 255).floor() @ named["weight_1"].mT + named["bias_1"][:, None]
    assert_close(model.predict(inputs).detach(), expected.detach())


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_jacobians_are_autograds(activation: str) -> None:
    model = model_of((3, 4, 2), activation)
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values, slopes = model.jacobian(model.parameters, inputs)
    assert_close(values.detach(), model.predict(inputs).detach())
    for sample in range(5):
        for target in range(2):
            (row,) = torch.autograd.grad(model.predict(inputs)[:, sample, target].sum(), model.parameters)
            assert_close(slopes[:, sample, target].detach(), row)


def test_an_activation_is_refused_with_a_sentence() -> None:
    with pytest.raises(UserError, match=r"model\.activation is one of relu, .*did you mean gelu"):
        untrained(*DIABETES, "model.widths=[10,5,1]", "model.activation=gelo")
    with pytest.raises(UserError, match=r"model\.activation is for model=mlp"):
        untrained("experiment=primer", "model.activation=tanh")
    assert activation_of("tanh").module == "Tanh"
