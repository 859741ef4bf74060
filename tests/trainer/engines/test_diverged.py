"""Where a run diverged: the step, row, place and value, on every engine, as NumPy has them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

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
from packtrain.trainer.engines import diverged
from packtrain.trainer.engines.build import make_engine
from packtrain.trainer.engines.moment import Moment
from packtrain.trainer.session import Session
from tests.helpers import assert_close
from tests.trainer.configs import untrained

WAYS = ("step reference", "step numba", "fused numba", "step triton", "fused triton")
X = np.linspace(0.1, 1, 10)


def session_of(
    model: ModelConfig,
    table: Mapping[str, Any],
    way: str = "fused numba",
    precision: str = "fp64",
    batch: int | str = "full",
    order: str = "sequential",
    optimizer: OptimizerConfig | None = None,
    columns: dict[str, Any] | None = None,
    lr: float = 0.5,
    **more: Any,
) -> Session:
    """A training before its first step."""
    engine, backend = way.split()
    columns = {"targets": "y", **(columns or {})} | ({"inputs": ["x"]} if model.kind == "mlp" else {})
    data = DataConfig("table", table={name: list(map(float, part)) for name, part in table.items()})
    data.columns, data.group, data.validation = columns, more.pop("group", None), more.pop("validation", 0.0)
    return Session.prepare(
        Config(
            model=model,
            data=data,
            optimizer=optimizer or OptimizerConfig("sgd", lr=lr),
            loop=LoopConfig(batch_size=batch, steps=60, order=order),
            engine=EngineConfig(engine),
            compute=ComputeConfig("cpu", backend, precision),
            **more,
        )
    )


def messages(session: Session) -> list[str]:
    """How the runs ended."""
    while not session.done:
        session.advance()
    return [row["message"] for row in session.result().rows]


def equations(*lines: str, **initial: float) -> ModelConfig:
    return ModelConfig("expression", expressions=list(lines), initial=initial, outputs=["y"], loss="mse")


def minibatch(step: int, size: int) -> np.ndarray:
    """The samples of a step, one after another."""
    return (step * size + np.arange(size)) % len(X)


@pytest.mark.parametrize("way", WAYS)
def test_the_first_vertex_that_overflows_is_named(way: str) -> None:
    """y = b*exp(a*x) that is made as large as it gets, by hand."""
    a, b, lr, step = 1.0, 2.0, 0.05, 0
    model = equations("xu = a*x", "xz = exp(xu)", "y = b*xz", a=a, b=b)
    model.loss = "-t*y"
    session = session_of(model, {"x": X, "y": np.full(10, 3.0)}, way, batch=3, lr=lr)
    with np.errstate(over="ignore"):
        while np.isfinite(z := np.exp(a * (x := X[minibatch(step, 3)]))).all():
            a, b, step = a + lr * (b * z * x).sum(), b + lr * z.sum(), step + 1
    row = minibatch(step, 3)[~np.isfinite(z)][0]
    (message,) = messages(session)
    expected = f"step {step}, row {row + 1}: xz = exp({a * X[row]:.4g}) is infinite; kept are"
    assert step > 5 and message == f"{expected} the values before it"
    assert_close(session.engine.model.parameters[0].detach(), torch.tensor([a, b]).double())


@pytest.mark.parametrize("way", ["step reference", "fused numba", "fused triton"])
def test_the_first_unit_that_overflows_is_named(way: str) -> None:
    """Two layers without biases, by hand."""
    model = ModelConfig("mlp", widths=[1, 3, 1], bias=False, loss="mse")
    session = session_of(model, {"x": X, "y": 9 * X}, way, batch=4, lr=1e160)
    first, second = (part[0].detach().numpy().copy() for part in session.engine.model.named().values())
    x, t = X[:4, None], 9 * X[:4, None]
    hidden = np.maximum(x @ first.T, 0)
    slope = 2 * (hidden @ second.T - t) / 4
    back = slope @ second * (hidden > 0)
    first, second = first - 1e160 * back.T @ x, second - 1e160 * slope.T @ hidden
    hidden = np.maximum(X[4:8, None] @ first.T, 0)
    with np.errstate(over="ignore"):
        wrong = ~np.isfinite((hidden * second).sum(1))
    (message,) = messages(session)
    row = np.flatnonzero(wrong)[0]
    assert np.isfinite(hidden).all() and message.startswith(f"step 1, row {4 + row + 1}: ")
    assert message.endswith(", which unit 0 of layer 1 needs; kept are the values before it")
    left, right = map(float, re.findall(r"(\S+)\*(\S+) is", message)[0])
    pairs = zip(second[0], hidden[row], strict=True)
    assert any((left, right) == pytest.approx(pair, rel=1e-3) for pair in pairs)


ADAM = {"optimizer": OptimizerConfig("adam")}
CASES = {
    "xz = sqrt(x - a); y = xz*b": (
        {"a": 0.1, "b": 1}, {}, "step 0, row 1: 0.5/xz = 0.5/0 is infinite, which d xz/d a needs",
    ),
    "xz = 1e200*a; y = xz*1e-50*(x - 0.5)": (
        {"a": 1e120}, {}, "step 0, row 1: xz = 1e+200*1e+120 is infinite",
    ),
    "xz = 1e200*x; y = where(x > 5, xz*a*1e120, a)": (
        {"a": 1.0}, {}, "trained all of its 60 steps",
    ),
    "y = a*1e160*x": (
        {"a": -1.0}, {}, "step 0, row 1: y is -1e+159 where the data have 0.1, too far for a square",
    ),
    "y = a*x*1e154*2": (
        {"a": 0.55}, {"loss": "sse"},
        "step 0, row 10: y is 1.1e+154 where the data have 1, too far for a square in float64: start nearer",
    ),
    "y = a*x*5000": (
        {"a": 1.0}, {"loss": "log(cosh(y - t))"},
        "step 0, row 2: model.loss=log(cosh(y - t)), or its slope, is not finite in float64 where y is 1000",
    ),
    "y = a*x": (
        {"a": 0.0}, {"loss": "(y - t + 1)^0.5"},
        "step 0, row 10: model.loss=(y - t + 1)^0.5, or its slope, is not finite in float64 where y is 0 and",
    ),
    "y = a*x*1e160": (
        {"a": 3e-13}, {"loss": "sse"},
        "step 0: d loss/d a is infinite in float64, to which row 10 adds 6e+307; kept are the values before",
    ),
    "y = a*x*1e160/1": (
        {"a": 1e-11}, {"loss": "sse"}, "step 0, row 1: d loss/d a is infinite in float64; kept",
    ),
    "y = a*x*1e100": (
        {"a": 1.0}, ADAM,
        "step 0: the update makes the optimizer's v of a infinite in float64: the gradient is 7.7e+199",
    ),
    "y = a*x + 1": (
        {"a": 1.0}, {"optimizer": OptimizerConfig("sgd", lr=1.7e308)},
        "step 0: the update makes a minus infinity in float64: the gradient is 1.1 and the learning rate 1.7",
    ),
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("text", CASES)
def test_what_else_is_not_finite(text: str) -> None:
    initial, more, expected = CASES[text]
    model = equations(*text.split("; "), **initial)
    model.loss = more.get("loss", "mse")
    session = session_of(model, {"x": X, "y": X}, "step reference", optimizer=more.get("optimizer"))
    (message,) = messages(session)
    assert message.startswith(expected), message


def test_a_fit_of_an_mlp_says_it_too() -> None:
    model = ModelConfig("mlp", widths=[1, 2, 1], loss="mse")
    optimizer = OptimizerConfig("levenberg_marquardt")
    session = session_of(model, {"x": 1e200 * X, "y": X}, "step reference", optimizer=optimizer)
    (message,) = messages(session)
    assert re.search(r"starting values: row 1: y is \S+e\+19\d where the data have 0.1, too far", message)


def test_single_precision_says_so() -> None:
    model = equations("xz = exp(a*x)", "y = xz*b", a=200, b=1)
    given = model, {"x": X, "y": X}, "fused numba"
    single, double = (messages(session_of(*given, precision, lr=1e-250))[0] for precision in ("fp32", "fp64"))
    assert single.startswith("step 0, row 5: xz = exp(100) is infinite in float32;")
    assert double.startswith("trained")


@pytest.mark.parametrize("order", ["shared", "own", "sequential"])
def test_the_row_is_that_of_the_data_whatever_is_held_out_and_shuffled(order: str) -> None:
    x = X.repeat(4)
    x[30] = 1000
    model = equations("xz = exp(a*x)", "y = xz*b", a=1, b=1e-9)
    more = {"validation": 0.25, "order": order, "batch": 5, "pack": PackConfig({"seed": "range(0,6)"})}
    found = messages(session_of(model, {"x": x, "y": x}, optimizer=OptimizerConfig("sgd", lr=1e-9), **more))
    assert all("row 31: xz = exp(1000) is infinite" in message for message in found)
    assert (len({message.partition(",")[0] for message in found}) > 1) == (order == "own")


def test_each_group_has_its_own_row() -> None:
    x, group = np.tile(X, 3), np.repeat([1, 2, 3], 10)
    x[[17, 24]] = 900, 800
    model = equations("xz = exp(a*x)", "y = xz*b", a=1, b=1)
    first, *others = messages(session_of(model, {"x": x, "y": 3 * x, "g": group}, group="g", lr=1e-9))
    assert first.startswith("trained")
    assert [message.partition(";")[0] for message in others] == [
        "step 0, row 18: xz = exp(900) is infinite", "step 0, row 25: xz = exp(800) is infinite",
    ]  # fmt: skip


def test_of_many_runs_some_are_looked_at_and_those_that_stand_where_they_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = equations("y = exp(a*x)", a=1)
    over = PackConfig({"model.initial.a": "900,1,900,800,700", "optimizer.lr": "1e-9,1e-8"})
    monkeypatch.setattr(diverged, "MOST_RUNS", 2)
    found = messages(session_of(model, {"x": 2 * X, "y": X}, pack=over))
    looked = [re.findall(r"row \d+", message) for message in found]
    unknown = "its loss or a parameter stopped being finite at step 0; kept are the values before it"
    assert looked == [["row 4"]] * 2 + [[]] * 2 + [["row 4"]] * 2 + [["row 5"]] * 2 + [[]] * 2
    assert found[-2:] == [unknown] * 2 and found[2].startswith("trained")


def test_nothing_is_computed_again_where_no_run_diverges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diverged, "moment_of", lambda *_: pytest.fail("looked at"))
    (message,) = messages(session_of(equations("y = a*x", a=0), {"x": X, "y": X}))
    assert message == "trained all of its 60 steps"


PRIMER = "experiment=primer", "data.size=100", "loop.batch_size=32", "compute.precision=fp64"
MLP = "experiment=gaussians", "data.size=100", "loop.batch_size=32", "compute.precision=fp64"
MOMENTUM = "optimizer=sgd", "optimizer.momentum=0.9", "optimizer.lr=1e-4"
AGAIN = {
    "equations": PRIMER,
    "an order of each run's own": (
        *PRIMER,
        "loop.order=own",
        "optimizer=sgd",
        "optimizer.momentum=0.9",
        "optimizer.lr=1e-4",
    ),
    "the step engine": (*PRIMER, "engine=step", "optimizer.clip_norm=1e-3", "schedule=cosine"),
    "an MLP": (*MLP, "optimizer=adamw", "optimizer.weight_decay=0.1"),
    "dropout": (*MLP, "model.dropout=0.3", "loop.order=own"),
    "a loss with a constant": (*PRIMER, "model.loss=huber", "model.loss_constants={delta: 0.3}"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("what", AGAIN)
def test_a_step_is_computed_again(what: str) -> None:
    """Its loss, the norm of its gradient, and the parameters and states after it are the engine's."""
    pack, model, data, choice = untrained(*AGAIN[what], 'pack.over={seed: "range(0,3)"}')
    engine = make_engine(pack, model, data, choice)
    engine.advance(7)
    before = {name: part.clone() for name, part in engine.memory.items()}
    moments = [diverged.moment_of(pack, engine.model, data, run, 7, before) for run in range(3)]
    history = engine.advance(8)
    for run, moment in enumerate(moments):
        inputs, targets, keys = moment.batch.inputs, moment.batch.targets, moment._keys
        assert_close(moment.model.loss(inputs, targets, keys=keys).detach()[0], history.loss[0, run])
        assert_close(moment._gradient.norm(), history.gradient_norm[0, run])
        for name, value in _updated(moment).items():
            assert_close(value[0], engine.memory[name][run])


def _updated(moment: Moment) -> dict[str, torch.Tensor]:
    new, state = moment.updated()
    return {"parameters": new} | {f"optimizer.{name}": part for name, part in state.items()}
