"""The run folder: what is written and what `trainer.load` gives back."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

import packtrain
from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.ranking import best_first
from packtrain.trainer.folder.result import summary
from tests.helpers import Command, assert_close, result_in

SMALL = ("loop.epochs=null", "loop.steps=5", "loop.batch_size=64")


def row(index: int, last: float | None, outcome: str = "finished", validation: float | None = None) -> dict:
    return {
        "index": index,
        "values": {"seed": index},
        "outcome": outcome,
        "message": "",
        "steps": 1,
        "loss": {"train": {"first": 1.0, "last": last}, "validation": validation},
        "metrics": {},
        "parameters": {},
    }


def test_the_best_run_has_the_least_loss_and_did_not_diverge() -> None:
    rows = [row(0, 3.0), row(1, None), row(2, 0.5, "diverged"), row(3, 2.0), row(4, 0.7, "failed")]
    rows += [row(5, 2.5, "stopped early")]
    assert [each["index"] for each in best_first(rows)] == [3, 5, 0, 1, 2, 4]
    assert summary({}, rows)["best_run"] == 3


def test_the_validation_part_judges_where_there_is_one() -> None:
    rows = [row(0, 1.0, validation=5.0), row(1, 2.0, validation=4.0)]
    assert summary({}, rows)["best_run"] == 1


def test_a_run_without_a_validation_loss_is_worse_than_any_with_one() -> None:
    assert summary({}, [row(0, 1e-9), row(1, 2.0, validation=1e9)])["best_run"] == 1


@pytest.mark.parametrize("rows", [[row(0, 1.0, "diverged")], [row(0, 1.0, "failed")], [row(0, None)]])
def test_without_a_usable_run_none_is_best(rows: list[dict]) -> None:
    assert summary({}, rows)["best_run"] is None


def test_a_large_pack_lists_its_ten_best() -> None:
    rows = [row(index, float(1000 - index)) for index in range(101)]
    found = summary({}, rows)
    assert [each["index"] for each in found["run"]] == list(range(100, 90, -1))
    assert len(summary({}, rows[:100])["run"]) == 100
    assert found["outcomes"] == {"finished": 101}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("experiment", ["primer", "digits", "silly_gaussians", "danwood"])
def test_load_predicts_as_the_trained_model_did(experiment: str, cli: Command, tmp_path: Path) -> None:
    batch = "loop.batch_size=6" if experiment == "danwood" else "loop.batch_size=64"
    over = 'pack.over={seed: "range(0,3)"}'
    assert cli(f"experiment={experiment}", *SMALL, batch, over).code == 0
    trained = packtrain.load(tmp_path / "out")
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        for name, part in trained.parameters().items():
            assert torch.equal(part, file.get_tensor(name))
            assert len(part) == 3
    inputs = torch.rand(7, len(trained.inputs), dtype=torch.float64) + 0.5
    outputs = trained.predict(inputs)
    assert outputs.shape[:2] == (3, 7)
    assert torch.equal(trained.predict(inputs, run=2), outputs[2])
    columns = {name: inputs[:, i] for i, name in enumerate(trained.inputs)}
    assert torch.equal(trained.predict(columns), outputs)
    assert trained.best_run == result_in(tmp_path / "out")["best_run"]
    for run in ("best", 2):
        alone, index = packtrain.load(tmp_path / "out", run), trained.best_run if run == "best" else run
        assert index is not None
        assert torch.equal(alone.predict(inputs), outputs[index])
        assert torch.equal(trained.predict(inputs, run), outputs[index])
        assert torch.equal(alone.predict(inputs, run=1), outputs[1])
        assert all(map(torch.equal, alone.parameters().values(), trained.parameters(run).values()))


def test_load_standardizes_as_in_training(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=digits", *SMALL, "data.validation=0", "loop.steps=200").code == 0
    trained = packtrain.load(tmp_path / "out")
    from_sklearn = pytest.importorskip("sklearn.datasets").load_digits()
    outputs = trained.predict(from_sklearn.data, run=0)
    right = outputs.argmax(-1) == torch.from_numpy(from_sklearn.target)
    reported = result_in(tmp_path / "out")["run"][0]["metrics"]["accuracy"]
    assert_close(right.double().mean(), torch.tensor(reported).double(), torch.float32)


def test_predict_refuses_other_inputs(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug").code == 0
    trained = packtrain.load(tmp_path / "out")
    with pytest.raises(UserError, match=r"shape \[B, 1\] \(xa\); got \[2, 3\]"):
        trained.predict(torch.zeros(2, 3))
    with pytest.raises(UserError, match="the inputs are xa; missing: xa"):
        trained.predict({"xb": [1.0]})
    for given, told in (["warm"], "<U4"), ([1j], "complex128"), (torch.ones(1) * 1j, "complex64"):
        with pytest.raises(UserError, match=f"the inputs xa are numbers: expected real ones, got {told}"):
            trained.predict({"xa": given})
    others: list[Any] = [3, -1, 0.5, "worst"]
    for run in others:
        for ask in (lambda run=run: trained.predict([[1]], run), lambda run=run: trained.parameters(run)):
            with pytest.raises(UserError, match=f"run is 0 to 2, or 'best', and got {run!r}"):
                ask()


def test_best_of_none_is_one_sentence(cli: Command, tmp_path: Path) -> None:
    over = 'pack.over={optimizer.lr: "1e30,1e31", seed: null}'
    assert cli("experiment=debug", "optimizer=sgd", over).code == 1
    with pytest.raises(UserError, match="run is 0 to 1, or 'best', and no run of this training is of use"):
        packtrain.load(tmp_path / "out").predict([[1]], run="best")


def test_results_are_as_readable_as_the_users_other_files(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug").code == 0
    modes = {(tmp_path / "out" / name).stat().st_mode for name in ("model.safetensors", "train.log")}
    assert len(modes) == 1


def test_load_of_a_folder_without_a_training_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished training"):
        packtrain.load(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match="holds no finished training"):
        packtrain.load(tmp_path)


def test_numbers_that_are_not_finite_are_null(cli: Command, tmp_path: Path) -> None:
    over = 'pack.over={optimizer.lr: "1e-7,1e30"}'
    assert cli("experiment=debug", "optimizer=sgd", "pack.over={seed: null}", over).code == 0
    text = (tmp_path / "out" / "result.json").read_text()
    found = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in result.json"))
    assert found["outcomes"] == {"finished": 1, "diverged": 1}
    assert found["best_run"] == 0
    assert all(math.isfinite(each["value"]) for each in found["run"][1]["parameters"].values())
    with (tmp_path / "out" / "runs.csv").open() as file:
        told = [line["message"] for line in csv.DictReader(file)]
    assert told == [run["message"] for run in found["run"]] and "step 1, row 75: xz^3 = " in told[1]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("writer", ["save", "write_csv", "write_parquet"])
def test_a_failing_write_leaves_the_old_file(
    writer: str, tmp_path: Path, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> dict[str, bytes]:
        names = ("model.safetensors", "runs.csv", "result.json")
        return {name: (tmp_path / "out" / name).read_bytes() for name in names}

    def fail(*given: object) -> None:
        raise OSError("no space left on device")

    assert cli("experiment=debug").code == 0
    before = files()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(f"packtrain.trainer.folder.write.{writer}", fail)
        cli("resume=out", "loop.steps=70")
    assert files()["result.json"] == before["result.json"]
    assert not list((tmp_path / "out").glob(".*.[0-9]*"))


def test_a_large_pack_lists_the_best_by_what_ranks_it() -> None:
    rows = [row(i, float(i)) | {"metrics": {"accuracy": i / 200}} for i in range(101)]
    found = summary({}, rows, objective=Objective("metrics.accuracy", True))
    assert [each["index"] for each in found["run"]] == list(range(100, 90, -1)) and found["best_run"] == 100
    assert found["objective"] == {"name": "metrics.accuracy", "maximized": True}
    assert "objective" not in summary({}, rows)
