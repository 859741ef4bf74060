"""Dropout in every engine: the same masks, in any pack, from any step on, and in training alone."""

import pytest
import torch
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.descent.numba import descent as numba_descent
from packtrain.kernels.dropout.reference import mask_reference
from packtrain.trainer.engines.base import PrunableEngine
from packtrain.trainer.engines.build import first_order, make_engine
from packtrain.trainer.engines.choose import Choice
from packtrain.trainer.engines.tabulated import TabulatedEngine
from packtrain.trainer.models.evaluate import evaluate
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.session import Session
from tests.helpers import assert_close
from tests.trainer.configs import pack_of, untrained

SMALL = (
    "experiment=gaussians", "data.size=90", "loop.batch_size=40", "optimizer.lr=0.02",
    "model.widths=[2,10,7,2]", "compute.precision=fp64", "loop.steps=30", "schedule=constant",
)  # fmt: skip
RATES = 'pack.over={seed: "0,1", model.dropout: "0,0.4"}'
REFERENCE, NUMBA = ("step", "reference"), ("fused", "numba")
STEP_TRITON, TRITON = ("step", "triton"), ("fused", "triton")


def engine_of(way: tuple[str, str], *overrides: str) -> TabulatedEngine:
    """What trains in this way, whatever the config would choose."""
    pack, model, data, _ = untrained(*SMALL, *overrides)
    model.backend = "triton" if way == STEP_TRITON else "reference"
    engine = first_order(pack, model, data, Choice(*way))
    assert isinstance(engine, TabulatedEngine)
    return engine


def trained(way: tuple[str, str], *overrides: str) -> Tensor:
    """The parameters after the last step, [R, P]."""
    engine = engine_of(way, *overrides)
    while not engine.done:
        engine.advance(min(int(engine.steps.max()), engine.horizon))
    return engine.model.parameters.detach()


def by_hand(*overrides: str) -> Tensor:
    """The parameters after one step of plain SGD with torch's own layers and the reference's masks."""
    engine = engine_of(REFERENCE, *overrides)
    model, runs = engine.model, []
    assert isinstance(model, MLPModel) and model.dropout is not None
    rates, scales = model.dropout.rates, model.dropout.scales
    masks = [
        mask_reference(keys, rates, scales, len(engine.data), width)
        for keys, width in zip(model.keys(torch.tensor([0]))[0].unbind(1), (10, 7), strict=True)
    ]
    for run in range(model.runs):
        parts = {name: part[run].detach().clone().requires_grad_() for name, part in model.named().items()}
        x = engine.data.inputs
        for layer in range(3):
            x = torch.nn.functional.linear(x, parts[f"weight_{layer}"], parts[f"bias_{layer}"])
            x = x.relu() * masks[layer][run] if layer < 2 else x
        loss = torch.nn.functional.cross_entropy(x, engine.data.targets[:, 0])
        slopes = torch.autograd.grad(loss, list(parts.values()))
        runs.append(torch.cat([(p - 0.1 * g).flatten() for p, g in zip(parts.values(), slopes, strict=True)]))
    return torch.stack(runs).detach()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("way", [REFERENCE, NUMBA, STEP_TRITON, TRITON], ids=str)
def test_a_step_is_torchs_with_the_same_mask(way: tuple[str, str]) -> None:
    one = (RATES, "loop.steps=1", "loop.batch_size=full", "optimizer=sgd", "optimizer.lr=0.1")
    assert_close(trained(way, *one), by_hand(*one))


@pytest.mark.sampled
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("order", ["shared", "own"])
def test_the_compiled_loop_trains_as_the_reference(activation: str, order: str) -> None:
    how = RATES, f"model.activation={activation}", f"loop.order={order}"
    found, expected = trained(NUMBA, *how), trained(REFERENCE, *how)
    assert_close(found, expected)
    assert not torch.allclose(found[0], found[1], atol=1e-3)


@pytest.mark.sampled
@pytest.mark.emulated
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(
    ("precision", "order"), [("fp32", "shared"), ("fp64", "own")], ids=["in registers", "in memory"]
)
def test_tritons_training_is_that_of_the_reference(precision: str, order: str, activation: str) -> None:
    how = (
        RATES, "loop.steps=2", f"compute.precision={precision}", f"model.activation={activation}",
        f"loop.order={order}",
    )  # fmt: skip
    assert_close(trained(TRITON, *how), trained(REFERENCE, *how))


def test_blocks_of_a_large_minibatch_drop_by_the_place_in_the_minibatch() -> None:
    large = RATES, "data.size=3000", "loop.batch_size=full", "loop.steps=3"
    assert_close(trained(NUMBA, *large), trained(REFERENCE, *large))


def test_helpers_drop_what_a_run_alone_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    large = "model.dropout=0.4", "data.size=5000", "loop.batch_size=full", "loop.steps=3"
    alone = trained(NUMBA, *large)
    monkeypatch.setattr(numba_descent.NumbaDescent, "_helpers", lambda self, batch: 2)
    assert trained(NUMBA, *large).equal(alone)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("way", [NUMBA, pytest.param(TRITON, marks=pytest.mark.emulated)], ids=str)
def test_a_run_has_the_same_bits_in_any_pack(way: tuple[str, str]) -> None:
    few = "loop.steps=2", "loop.batch_size=20", "compute.precision=fp32"
    pack = trained(way, RATES, *few)
    assert pack[3].equal(trained(way, "seed=1", "model.dropout=0.4", *few)[0])
    assert pack[2].equal(trained(way, "seed=1", *few)[0]), "a rate of 0 in a pack with dropout"


def test_the_reference_keeps_the_bits_of_a_rate_of_0() -> None:
    assert_close(trained(REFERENCE, RATES)[2], trained(REFERENCE, "seed=1")[0])


@pytest.mark.parametrize("engine", ["step", "fused"])
def test_a_training_goes_on_as_if_it_had_not_stopped(engine: str) -> None:
    pack = pack_of(*SMALL, RATES, "compute.device=cpu", f"engine={engine}", "monitor.every=1")
    whole, early, late = (Session.prepare(pack) for _ in range(3))
    while not whole.done:
        whole.advance()
    while early.step < 13:
        early.advance(13)
    late.restore(13, {name: tensor.clone() for name, tensor in early.memory.items()})
    while not late.done:
        late.advance()
    for name, tensor in whole.memory.items():
        assert late.memory[name].equal(tensor), name


def test_runs_that_go_on_without_others_keep_their_masks() -> None:
    pack, model, data, choice = untrained(*SMALL, RATES)
    engine = make_engine(pack, model, data, choice)
    assert isinstance(engine, PrunableEngine)
    engine.advance(10)
    engine.stop(torch.tensor([True, False, True, False]), 1)
    while not engine.done:
        engine.advance(30)
    assert model.parameters[3].equal(trained(NUMBA, "seed=1", "model.dropout=0.4")[0])


def test_only_training_drops() -> None:
    _, model, data, _ = untrained(*SMALL, RATES)
    _, plain, _, _ = untrained(*SMALL, 'pack.over={seed: "0,0,1,1"}')
    assert model.keys(torch.arange(3)).numel() and not plain.keys(torch.arange(3)).numel()
    assert model.predict(data.inputs).equal(plain.predict(data.inputs))
    assert evaluate(model, data).loss.equal(evaluate(plain, data).loss)
    dropped = model.loss(data.inputs, data.targets, keys=model.keys(torch.tensor([3]))[0])
    kept = plain.loss(data.inputs, data.targets)
    assert dropped.isclose(kept).tolist() == [True, False, True, False]


def test_the_mean_over_steps_is_what_is_predicted() -> None:
    """Of one linear hidden layer: what is kept is scaled up by as much as was dropped."""
    _, model, data, _ = untrained(*SMALL, "model.widths=[2,10,2]", "model.dropout=0.4")
    assert isinstance(model, MLPModel)
    keys, inputs = model.keys(torch.arange(1200)), data.inputs[:5]
    outputs = torch.stack(
        [model._outputs(model.parameters.detach(), inputs, "reference", key) for key in keys]
    )
    error = (outputs.mean(0) - model.predict(inputs).detach()).abs()
    assert (error < 4.5 * outputs.std(0) / 1200**0.5).all() and outputs.std() > 0


@pytest.mark.parametrize("dropout", ["model.dropout=0.5", 'pack.over={model.dropout: "0,0.5"}'])
def test_least_squares_refuse_dropout(dropout: str) -> None:
    pack = pack_of(
        "~experiment", "model=mlp", "model.widths=[10,3,1]", "model.loss=mse", "data=sklearn",
        "data.set=diabetes", "optimizer=levenberg_marquardt", "loop.steps=3", "compute.device=cpu", dropout,
    )  # fmt: skip
    with pytest.raises(UserError, match=r"model\.dropout makes another at each step"):
        Session.prepare(pack)


def test_equations_have_no_dropout() -> None:
    with pytest.raises(UserError, match=r"model\.dropout is for model=mlp"):
        pack_of("experiment=primer", "model.dropout=0.5")
