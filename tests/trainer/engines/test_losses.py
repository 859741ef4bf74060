"""Every loss in every engine and backend: with constants of each run, weights, and equations of one's own."""

import re
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    EngineConfig,
    LoopConfig,
    ModelConfig,
    OptimizerConfig,
    PackConfig,
)
from packtrain.trainer.session import Session
from tests.helpers import Command, assert_close
from tests.losses import LOSSES

SIZE = 60
WAYS = (("step", "reference"), ("step", "numba"), ("fused", "numba"))


def table() -> dict[str, list[float]]:
    generator = torch.Generator().manual_seed(1)
    x, noise, w = torch.rand(3, SIZE, generator=generator, dtype=torch.float64)
    one = (x > 0.6).long()
    return {
        "x": x.tolist(), "y": (2 * x + noise / 5).tolist(), "w": (w > 0.2).double().mul(w).tolist(),
        "class": one.tolist(), "hit": one.tolist(),
    }  # fmt: skip


def trained(model: ModelConfig, target: str, way: tuple[str, str], weighted: bool, **more: Any) -> Tensor:
    """The parameters [R, P] after some steps."""
    inputs = {"inputs": ["x"]} if model.kind == "mlp" else {}
    weights = {"weights": "w"} if weighted else {}
    config = Config(
        model=model,
        data=DataConfig("table", table=table(), columns={"targets": target, **inputs, **weights}),
        optimizer=OptimizerConfig("adam", lr=0.02),
        loop=LoopConfig(batch_size=24, steps=12),
        engine=EngineConfig(way[0]),
        compute=ComputeConfig("cpu", way[1], "fp64"),
        **more,
    )
    session = Session.prepare(config)
    assert (session.engine.kind, session.engine.backend) == way
    while not session.done:
        session.advance()
    return session.engine.model.parameters.detach().clone()


def model_of(kind: str, loss: str, **more: Any) -> ModelConfig:
    classes = loss == "cross_entropy"
    if kind == "mlp":
        return ModelConfig("mlp", loss=loss, widths=[1, 5, 2 if classes else 1], **more)
    equations = ["xa = a*x + b", *(["xb = k*x"] if classes else [])]
    return ModelConfig("expression", loss=loss, expressions=equations, **more)


def target_of(loss: str) -> str:
    return {"cross_entropy": "class", "binary_cross_entropy": "hit"}.get(loss, "y")


def constants_of(loss: str) -> PackConfig:
    """What differs between two runs: the loss's constant, else their seeds."""
    name = {"cross_entropy": "label_smoothing", "quantile": "q"}.get(loss, "delta")
    own = loss in ("cross_entropy", "quantile", "huber", "soft_l1", "cauchy", "arctan")
    return PackConfig(over={f"model.loss_constants.{name}": "0.1,0.6"} if own else {"seed": "0,1"})


@pytest.mark.sampled
@pytest.mark.parametrize("kind", ["expression", "mlp"])
@pytest.mark.parametrize(
    ("loss", "weighted"), [*((loss, True) for loss in LOSSES), ("mse", False), ("cross_entropy", False)]
)
def test_every_way_trains_with_every_loss(loss: str, kind: str, weighted: bool) -> None:
    ways = [way for way in WAYS if kind == "expression" or way != ("step", "numba")]
    model, pack = model_of(kind, loss), constants_of(loss)
    expected, *others = (trained(model, target_of(loss), way, weighted, pack=pack) for way in ways)
    assert not expected[0].equal(expected[1])
    for parameters in others:
        assert_close(parameters, expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("kind", "way"), [*product(["expression", "mlp"], WAYS[::2])])
def test_an_equation_of_ones_own_has_the_built_in_losss_bits(kind: str, way: tuple[str, str]) -> None:
    own = "e = abs(y - t); where(e <= d, e^2/2, d*(e - d/2))"
    custom = trained(model_of(kind, own, loss_constants={"d": 0.3}), "y", way, weighted=False)
    assert custom.equal(
        trained(model_of(kind, "huber", loss_constants={"delta": 0.3}), "y", way, weighted=False)
    )


@pytest.mark.parametrize(("kind", "way"), [*product(["expression", "mlp"], WAYS[::2])])
def test_a_run_is_the_same_beside_runs_with_other_constants(kind: str, way: tuple[str, str]) -> None:
    both = trained(model_of(kind, "cauchy"), "y", way, False, pack=constants_of("cauchy"))
    alone = trained(model_of(kind, "cauchy", loss_constants={"delta": 0.6}), "y", way, weighted=False)
    assert way == WAYS[0] or alone[0].equal(both[1])
    assert_close(alone[0], both[1])


def test_label_smoothing_of_0_changes_no_bit() -> None:
    model = model_of("mlp", "cross_entropy")
    smoothed = model_of("mlp", "cross_entropy", loss_constants={"label_smoothing": 0.0})
    for way in WAYS[::2]:
        assert trained(model, "class", way, False).equal(trained(smoothed, "class", way, False))


@pytest.mark.parametrize("kind", ["expression", "mlp"])
def test_a_loss_that_is_not_finite_at_the_start_is_named(kind: str, cli: Command) -> None:
    """cosh(y - t) is beyond float32 for the diabetes' progression, and so are many of the primer's errors."""
    mlp = "~experiment", "model=mlp", "model.widths=[10,1]", "data=sklearn", "data.set=diabetes"
    given = mlp if kind == "mlp" else ("data.size=2000",)
    ended = cli(*given, "model.loss='log(cosh(y - t))'", "loop.steps=3", "monitor=quiet")
    told = r"row \d+: model\.loss=log\(cosh\(y - t\)\), or its slope, is not finite in float32 where \w+ is"
    assert ended.code == 1 and re.search(told, ended.err)
