"""A session: one training, whatever door it came by, and whatever else runs in the process."""

import logging
import os
import pickle
import random
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import Pack
from packtrain.trainer.config.schema import (
    ComputeConfig,
    Config,
    DataConfig,
    LoopConfig,
    ModelConfig,
    MonitorConfig,
    OptimizerConfig,
    PackConfig,
    SearchConfig,
)
from packtrain.trainer.data.dataset import Data, Dataset
from packtrain.trainer.engines.devices import Compute
from packtrain.trainer.engines.step import StepEngine
from packtrain.trainer.folder.result import Result
from packtrain.trainer.folder.write import write
from packtrain.trainer.session import Session
from tests.helpers import Command, result_in
from tests.trainer.configs import pack_of
from tests.trainer.sessions import drive

CPU = Compute(torch.device("cpu"), torch.float64, "cpu")


def line(**more: Any) -> Config:
    """y = 2 x + 1, by plain values of Python."""
    x = [0.5 * i for i in range(12)]
    return Config(
        name="line",
        model=ModelConfig("expression", expressions=["xy = a*x + b"], **more.pop("model", {})),
        data=DataConfig("table", table={"x": x, "xy": [2 * each + 1 for each in x]}, validation=0.25),
        optimizer=OptimizerConfig("adam", lr=0.1),
        loop=LoopConfig(steps=120, batch_size=4),
        monitor=MonitorConfig(every=10, validate_every=50),
        **more,
    )


def trained(pack: Pack | Config, keep_curves: bool = False) -> Result:
    session = Session.prepare(pack, keep_curves=keep_curves)
    drive(session)
    return session.result()


def test_a_config_of_plain_values_is_trained_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = trained(line(pack=PackConfig(over={"optimizer.lr": [0.1, 0.2], "seed": "range(0,2)"})))
    assert result.summary["outcomes"] == {"finished": 4} and len(result.rows) == 4
    best = result.rows[result.best_run or 0]["parameters"]
    assert best["a"]["value"] == pytest.approx(2, abs=0.2)
    assert result.trained.predict({"x": [10.0]}, run="best") == pytest.approx(21, abs=2)
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr() == ("", "")
    assert result.curves is None


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (Config(), "data.kind is missing: it is one of ground_truth, gaussians, file, table, sklearn"),
        (line(model={"initial": {"q": 1}}), "model.initial: the equations have no parameter 'q'"),
        (line(pack=PackConfig(over={"model.loss": ["mse"]})), "model.loss can't differ between the runs"),
        (Config(seed=cast("int", "q")), "^seed: Value 'q' of type 'str' could not be converted to Integer$"),
        (
            Config(loop=LoopConfig(steps=cast("int", 5.5))),
            "^loop.steps: Value '5.5' of type 'float' could",
        ),
        (
            Config(pack=PackConfig(over={"seed": {1, 2}})),
            "^pack.over.seed: Value 'set' is not a",
        ),
        (Config(model=cast("ModelConfig", "mlp")), "^model: Invalid type assigned: str is not .*mlp$"),
    ],
)
def test_a_config_that_makes_no_sense_is_one_sentence(config: Config, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Session.prepare(config)


def test_data_of_ones_own_take_the_place_of_the_configs() -> None:
    x = torch.linspace(0, 1, 9)[:, None]
    mine = Data(Dataset(x, 5 * x, ("x",), ("xy",)), None)
    config = line()
    config.optimizer = OptimizerConfig("levenberg_marquardt")
    config.loop.batch_size = "full"
    session = Session.prepare(config, mine)
    drive(session)
    assert session.result().rows[0]["parameters"]["a"]["value"] == pytest.approx(5)


def test_curves_are_kept_where_they_are_wanted() -> None:
    curves = trained(line(pack=PackConfig(over={"loop.steps": [35, 120]})), keep_curves=True).curves
    assert curves and set(curves.names) >= {"loss", "gradient_norm", "lr", "parameters.a"}
    steps, loss = curves.grid("loss")
    assert steps.tolist() == list(range(0, 120, 10))
    assert loss.shape == (12, 2) and np.isnan(loss).sum(0).tolist() == [8, 0]
    assert loss[-1, 1] < loss[0, 1]


def test_a_result_that_is_looked_at_early_says_so_and_changes_nothing() -> None:
    config = line()
    session = Session.prepare(config)
    drive(session, until=lambda session: session.step >= 20)
    early = session.result()
    assert early.rows[0]["outcome"] == "stopped early"
    assert "its result was asked for before its end" in early.rows[0]["message"]
    drive(session)
    assert session.result().rows == trained(config).rows


def test_a_memory_goes_on_bit_for_bit() -> None:
    pack = pack_of("experiment=gaussians", "loop.steps=60", "data.size=200", "loop.batch_size=32")
    whole, cut, other = (Session.prepare(pack) for _ in range(3))
    drive(whole)
    drive(cut, until=lambda session: session.step >= 16)
    other.restore(cut.step, {name: tensor.clone() for name, tensor in cut.memory.items()})
    drive(other)
    assert same(whole, other) and whole.result().rows == other.result().rows


def test_a_memory_of_an_earlier_step_is_measured_anew() -> None:
    """What the session was worth later is of no account."""
    session, early = Session.prepare(line()), Session.prepare(line())
    drive(early, until=lambda session: session.step >= 16)
    memory = {name: tensor.clone() for name, tensor in early.memory.items()}
    drive(session)
    session.result()
    session.restore(early.step, memory)
    assert session.result().rows[0]["loss"] == early.result().rows[0]["loss"]


def test_a_session_that_is_put_back_forgets_what_came_after() -> None:
    session = Session.prepare(line(), keep_curves=True)
    drive(session, until=lambda session: session.step >= 15)
    step, memory = session.step, {name: tensor.clone() for name, tensor in session.memory.items()}
    drive(session, until=lambda session: session.step >= 60)
    session.end("enough")
    session.restore(step, memory)
    assert not session.done
    drive(session)
    whole = trained(line(), keep_curves=True)
    result = session.result()
    assert result.rows == whole.rows and whole.curves and result.curves
    assert result.curves.table.equals(whole.curves.table)


def test_what_makes_no_sense_of_a_session_is_one_sentence() -> None:
    session = Session.prepare(line())
    with pytest.raises(UserError, match="step is 0 to 120, the steps of this training; got 121"):
        session.restore(121, session.memory)
    double = line(compute=ComputeConfig(precision="fp64"))
    with pytest.raises(ValueError, match=r"parameters has to be torch.float32 \[1, 2\]"):
        session.restore(1, Session.prepare(double).memory)
    with pytest.raises(UserError, match="this one is not done, and `until` is 0"):
        session.advance(0)
    drive(session)
    with pytest.raises(UserError, match="this one is done"):
        session.advance()
    for given, name in (({}, "dict"), (None, "NoneType")):
        with pytest.raises(UserError, match=f"of a Config or a Pack; got {name}"):
            Session.prepare(cast(Any, given))
    with pytest.raises(UserError, match="one pack, and search=random many"):
        Session.prepare(line(search=SearchConfig("random")))


def test_arrays_and_ranges_are_lists_in_a_config() -> None:
    config = line(pack=PackConfig(over={"seed": range(3)}))
    config.data.table = {name: np.array(column) for name, column in config.data.table.items()}
    expected = trained(line(pack=PackConfig(over={"seed": [0, 1, 2]})))
    assert trained(config).rows == expected.rows
    config.data.table = {name: torch.tensor(column) for name, column in config.data.table.items()}
    assert trained(config).rows == expected.rows


def same(one: Session, other: Session) -> bool:
    pairs = zip(one.memory.items(), other.memory.items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


TURNS = {
    "fp64": ("experiment=primer", "data.size=300", "loop.batch_size=64", "compute.precision=fp64"),
    "bf16": ("experiment=gaussians", "data.size=300", "loop.batch_size=64", "compute.precision=bf16"),
    "fit": ("experiment=fit",),
}


def process() -> dict[str, Any]:
    """What a session could change for all others."""
    random_states = torch.get_rng_state().tolist(), np.random.get_state(), random.getstate()
    loggers = {name: logging.getLogger(name) for name in ["", *logging.root.manager.loggerDict]}
    return {
        "torch": (
            torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32,
            torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device(),
            torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(),
        ),
        "random": pickle.dumps(random_states),
        "numpy": np.geterr(),
        "signals": [signal.getsignal(number) for number in signal.Signals if number != signal.SIGSTOP],
        "logging": {name: (log.level, log.propagate, [*log.handlers]) for name, log in loggers.items()},
        "python": (dict(os.environ), os.getcwd(), [*sys.path], [*warnings.filters]),
    }  # fmt: skip


@pytest.mark.parametrize("overrides", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("engine", ["step", "auto"])
def test_a_session_leaves_the_process_as_it_was(overrides: tuple[str, ...], engine: str) -> None:
    pack = pack_of(*overrides, "loop.steps=20", f"engine={engine}")
    trained(pack)  # imports what it needs
    torch.set_float32_matmul_precision("highest")
    before = process()
    trained(pack)
    assert process() == before


def test_sessions_of_different_precision_take_turns_and_end_as_they_do_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Slice by slice in one process; torch's setting is each one's own inside, and nobody's outside."""
    rounding: set[tuple[torch.dtype, str]] = set()
    step = StepEngine._step

    def noted(engine: StepEngine) -> None:
        rounding.add((engine.model.parameters.dtype, torch.get_float32_matmul_precision()))
        step(engine)

    monkeypatch.setattr(StepEngine, "_step", noted)
    packs = [pack_of(*overrides, "loop.steps=40", "engine=step") for overrides in TURNS.values()]
    alone = [trained(pack) for pack in packs]
    for other in ("high", "highest"):
        torch.set_float32_matmul_precision(other)
        sessions = [Session.prepare(pack) for pack in packs]
        while any(not session.done for session in sessions):
            for session in sessions:
                if not session.done:
                    session.advance()
                assert torch.get_float32_matmul_precision() == other
        for session, expected in zip(sessions, alone, strict=True):
            result = session.result()
            assert result.rows == expected.rows
            assert torch.equal(result.model.parameters, expected.model.parameters)
    assert rounding == {(torch.float64, "highest"), (torch.float32, "high")}


def test_a_session_and_the_command_come_to_the_same(cli: Command, tmp_path: Path) -> None:
    asked = ("experiment=debug", "compute.device=cpu")
    assert cli(*asked).code == 0
    result = trained(pack_of(*asked))
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine", result)
    ours, theirs = (result_in(tmp_path / each) for each in ("mine", "out"))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    for name in ("runs.csv", "model.safetensors"):
        assert (tmp_path / "mine" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_too_little_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session.prepare(line())

    def no_memory(until: int) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(session.engine, "advance", no_memory)
    with pytest.raises(UserError, match="the device's memory is too small for this training"):
        session.advance()
