"""The test part: in results, tables and folders, and looked at once, at the end."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import Config
from packtrain.trainer.console.fit import number
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.folder.ranking import flat, nested
from packtrain.trainer.pruning.objective import make_objective
from packtrain.trainer.session import Session
from tests.helpers import Command, result_in
from tests.trainer.configs import pack_of
from tests.trainer.sweep.test_sweep import rows_in

IRIS = (
    "~experiment", "model=mlp", "data=sklearn", "data.set=iris", "model.widths=[8]", "loop.steps=60",
    "loop.batch_size=16", "optimizer.lr=0.02", "data.test=0.2", "data.split=stratified",
)  # fmt: skip
QUIET = "monitor.tensorboard=false", "monitor.progress=false"


def test_the_test_part_is_measured_as_scikit_learn_would(cli: Command, tmp_path: Path) -> None:
    ended = cli(*IRIS, *QUIET, "pack.over={seed: 'range(0,3)'}")
    assert ended.code == 0, ended.err
    test = load_data(pack_of(*IRIS, "compute.device=cpu")).test
    assert test is not None and len(test) == 30
    trained, result = packtrain.load(tmp_path / "out"), result_in(tmp_path / "out")
    model = trained.model.predict(test.inputs).detach()
    labels = test.targets[:, 0].numpy()
    assert labels.tolist().count(0) == labels.tolist().count(1) == 10
    for row, line, outputs in zip(result["run"], rows_in(tmp_path / "out"), model, strict=True):
        probabilities = outputs.double().softmax(1).numpy()
        assert row["loss"]["test"] == pytest.approx(log_loss(labels, probabilities))
        assert row["test"]["accuracy"] == accuracy_score(labels, probabilities.argmax(1))
        assert float(line["loss.test"]) == row["loss"]["test"]
        assert float(line["test.accuracy"]) == row["test"]["accuracy"]
    best = result["run"][result["best_run"]]
    assert f"test    run {best['index']}: loss {number(best['loss']['test'])}, accuracy" in ended.out
    shown = cli("show", "out", "sort=loss.test")
    assert shown.code == 0 and "test" in shown.out


def test_nothing_is_measured_by_the_test_part_before_the_end() -> None:
    """Other samples there change no bit of the training; a session looked at before its end says nothing."""
    pack = pack_of(*IRIS, "data.validation=0.2", "compute.device=cpu", "model.best=true")
    data = load_data(pack)
    assert data.test is not None
    other = load_data(pack).test
    assert other is not None
    other.inputs.neg_()
    sessions = [Session.prepare(pack, given) for given in (data, load_data(pack))]
    assert sessions[1].data.test is not None
    sessions[1].data.test.inputs.fill_(1e6)
    for session in sessions:
        session.advance(5)
        assert "test" not in session.result().rows[0]["loss"]
        while not session.done:
            session.advance()
    one, two = (session.result().rows[0] for session in sessions)
    assert one["test"] != two["test"] and one["loss"]["test"] != two["loss"]["test"]
    for row in (one, two):
        del row["test"], row["loss"]["test"]
    assert one == two and torch.equal(*(session.engine.model.parameters for session in sessions))
    stopped = Session.prepare(pack, data)
    stopped.end("SIGINT came", interrupted=True)
    assert "test" not in stopped.result().rows[0]


def test_a_row_is_the_same_there_and_back() -> None:
    loss = {"train": {"first": 2.0, "last": 1.0}, "validation": None, "test": 0.5}
    row = {"index": 0, "values": {}, "outcome": "finished", "message": "", "steps": 3, "loss": loss}
    row |= {"test": {"rmse": 0.7}, "metrics": {"rmse": 0.6}, "parameters": {}}
    line = flat(row)
    assert line["loss.test"] == 0.5 and line["test.rmse"] == 0.7
    assert nested(line) == row


def test_nothing_is_chosen_by_the_test_part() -> None:
    config = Config()
    for name in ("loss.test", "test.accuracy"):
        config.search.objective = name
        with pytest.raises(UserError, match="would choose by the test part"):
            make_objective(config)


def test_a_single_run_and_a_sweep_say_it_too(cli: Command, tmp_path: Path) -> None:
    line = "~experiment", "model.expressions=['xy = a*x']", "data.truth={a: 2}", "data.size=64", *QUIET
    given = *line, "loop.steps=5", "loop.batch_size=16", "data.test=0.25", "data.split=last"
    ended = cli(*given)
    assert "test.rmse" in ended.out and "test   " in ended.out
    ended = cli("-m", *given, "loop.batch_size=16,32", "hydra.sweep.dir=sweep")
    assert ended.code == 0 and "test    run" in ended.out
    rows = rows_in(tmp_path / "sweep")
    assert all(float(row["loss.test"]) > 0 for row in rows) and len(rows) == 2
