"""`packtrain predict FOLDER FILE`: rows with predictions, as Trained.predict gives them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import packtrain
from packtrain.trainer.terminal.arguments import PREDICT_USAGE
from tests.helpers import Command
from tests.trainer.sweep.test_sweep import HERE, QUICK

LINE = (
    "~experiment", "model.expressions=['y = a*t']", "data=file", "data.path=cup.csv", "model.variables=[t]",
    "loop.batch_size=full", "loop.steps=3", "compute.backend=reference", *QUICK,
)  # fmt: skip
CUP = pd.DataFrame({"t": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0], "note": ["a, b", "c", None]})


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    CUP.to_csv(tmp_path / "cup.csv", index=False)
    CUP.assign(t=[4.0, 5.0, 6.0]).to_parquet(tmp_path / "new.parquet")


def test_the_rows_of_a_file_get_what_the_best_run_predicts(cli: Command, tmp_path: Path) -> None:
    assert cli(*LINE, 'pack.over={seed: "range(0,3)"}').code == 0
    ended = cli("predict", "out", "cup.csv")
    assert ended.code == 0, ended.err
    assert ended.out == "cup.predicted.csv: 3 rows with predicted.y, by the best run of out\n"
    written = pd.read_csv(tmp_path / "cup.predicted.csv")
    assert written[list(CUP)].equals(CUP)
    expected = packtrain.load(tmp_path / "out", "best").predict(CUP)["predicted.y"]
    assert np.array_equal(written["predicted.y"].astype("float32"), expected)
    assert "by run 1 of out" in cli("predict", "out", "new.parquet", "run=1").out
    written = pd.read_parquet(tmp_path / "new.predicted.parquet")
    assert list(written) == ["t", "y", "note", "predicted.y"]
    expected = packtrain.load(tmp_path / "out", 1).predict(written)["predicted.y"]
    assert np.array_equal(written["predicted.y"], expected)
    assert cli("predict", "out", "cup.predicted.csv", "to=again.csv").code == 0
    assert list(pd.read_csv(tmp_path / "again.csv")) == [*CUP, "predicted.y"]


def test_a_sweep_and_groups_predict_too(cli: Command, tmp_path: Path) -> None:
    assert cli("-m", *LINE, "data.standardize=true,false", "seed=1,2", HERE).code == 0
    assert cli("predict", "sweep", "cup.csv", "to=swept.csv").code == 0
    assert cli("predict", "sweep", "cup.csv", "--to", "third.csv", "--run", "3").code == 0
    third = pd.read_csv(tmp_path / "third.csv")["predicted.y"].astype("float32")
    assert np.array_equal(third, packtrain.load(tmp_path / "sweep", 3).predict(CUP)["predicted.y"])
    CUP.dropna().to_csv(tmp_path / "known.csv", index=False)
    assert cli(*LINE, "data.path=known.csv", "data.group=note", "hydra.run.dir=groups").code == 0
    ended = cli("predict", "groups", "known.csv")
    assert "by the run of each row's group of groups" in ended.out, ended.err
    trained = packtrain.load(tmp_path / "groups")
    written = pd.read_csv(tmp_path / "known.predicted.csv")["predicted.y"].astype("float32")
    assert [written[row] for row in (0, 1)] == [
        trained.predict([[t]], run)[0, 0].item() for run, t in ((0, 1.0), (1, 2.0))
    ]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("out",), f"expected {PREDICT_USAGE}, with a file that is there"),
        (("out", "old.csv"), "old.csv is no file"),
        (("nowhere", "cup.csv"), "nowhere is no folder"),
        (("out", "cup.csv", "to=cup.csv"), "to=cup.csv is the file that is predicted: give another name"),
        (("out", "cup.csv", "to=cup.xls"), "the ending of to=cup.xls is one of .csv, .parquet"),
        (("out", "cup.csv", "run=7"), "run=7: out has the runs 0 to 0, and 0 is the best"),
        (("out", "cup.csv", "too=x"), "got too=x (did you mean to?)"),
        (("out", "empty.csv"), "the inputs are t; missing: t; empty.csv has y"),
    ],
)
def test_what_cant_be_predicted_is_one_sentence(
    arguments: tuple[str, ...], told: str, cli: Command, tmp_path: Path
) -> None:
    CUP[["y"]].to_csv(tmp_path / "empty.csv", index=False)
    assert cli(*LINE).code == 0
    before = {file.name for file in tmp_path.iterdir()}
    ended = cli("predict", *arguments)
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
    assert {file.name for file in tmp_path.iterdir()} == before
