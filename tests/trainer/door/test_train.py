"""Trainings and sweeps from Python are those of the command, bit for bit, and leave nothing behind."""

import sys
from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

import packtrain
from tests.helpers import Command, result_in

LINE = {"x": np.linspace(0, 1, 40), "xy": 3 * np.linspace(0, 1, 40) + 1}
OF_LINE = (
    "~experiment", "compute.device=cpu", "optimizer.lr=0.1", "loop.steps=60", "loop.batch_size=8",
)  # fmt: skip
DEBUG = "experiment=debug", "compute.device=cpu"


def assert_same_files(mine: Path, theirs: Path) -> None:
    for name in ("model.safetensors", "runs.csv"):
        assert (mine / name).read_bytes() == (theirs / name).read_bytes()


@pytest.mark.thorough
def test_a_training_has_the_bits_of_the_command(cli: Command, tmp_path: Path) -> None:
    over = 'pack.over={seed: "0,1,2", optimizer.lr: "0.01,0.1"}'
    assert cli("experiment=debug", over).code == 0
    runs = packtrain.train(*DEBUG, over)
    assert_same_files(runs.save("mine"), tmp_path / "out")
    written, summary = result_in(tmp_path / "out"), result_in(tmp_path / "mine")
    assert {**summary, "seconds": 0} == {**written, "seconds": 0}
    assert cli("show", "mine", "run=best").out == cli("show", "out", "run=best").out.replace("'out", "'mine")
    again = packtrain.train(*DEBUG, over, "optimizer.beta1=0.8")
    with pytest.raises(AssertionError):
        assert_same_files(again.save("other"), tmp_path / "out")


def test_a_sweep_has_the_bits_of_the_command(cli: Command, tmp_path: Path) -> None:
    typed = "seed=range(0,3)", "optimizer=adam,sgd", "optimizer.lr=0.0001,0.001"
    assert cli("-m", *DEBUG, *typed, "hydra.sweep.dir=swept").code == 0
    over = {"seed": range(3), "optimizer": ["adam", "sgd"], "optimizer.lr": np.array([1e-4, 1e-3])}
    runs = packtrain.sweep(over, *DEBUG, folder="mine")
    for folder in ("0", "1"):
        assert_same_files(tmp_path / "mine" / folder, tmp_path / "swept" / folder)
    assert (tmp_path / "mine" / "runs.csv").read_text() == (tmp_path / "swept" / "runs.csv").read_text()
    assert runs.best is not None and runs.best.index == result_in(tmp_path / "swept")["best_run"]
    trained = packtrain.load("swept", run="best")
    assert torch.equal(runs.predict({"xa": [0.5]}, run="best"), trained.predict({"xa": [0.5]}))
    mine, theirs = (cli("show", name, "limit=3").out.splitlines() for name in ("mine", "swept"))
    assert mine[-5:] == theirs[-5:] and "the first 3" in mine[-1]  # above is how long it took


def test_hydra_is_as_it_was() -> None:
    instances, repo = dict(Singleton._instances), ConfigStore.instance().repo
    packtrain.train(*DEBUG, "loop.steps=1")
    with pytest.raises(packtrain.UserError):
        packtrain.train("experiment=nothing")
    assert Singleton._instances == instances and ConfigStore.instance().repo is repo
    assert not GlobalHydra.instance().is_initialized()


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packtrain.sweep({"seed": [0, 1]}, *DEBUG)
    assert list(tmp_path.iterdir()) == []


FRAMES = {
    "arrays": LINE,
    "tensors": {name: torch.from_numpy(column) for name, column in LINE.items()},
    "pandas": pandas.DataFrame(LINE),
    "polars": polars.DataFrame(LINE),
    "lazy": polars.LazyFrame(LINE),
    "pyarrow": pyarrow.table(LINE),
    "structured": np.rec.fromarrays(list(LINE.values()), dtype=[(name, float) for name in LINE]),
}


def of_line(data: object, *more: str) -> packtrain.Runs:
    return packtrain.train(*OF_LINE, *more, data=data, **{"model.expressions": "xy = a*x + b"})


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", FRAMES)
def test_all_frames_train_alike(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "line.parquet"
    pandas.DataFrame(LINE).to_parquet(file)
    expected = of_line(str(file)).result.model.parameters
    runs = of_line(FRAMES[kind])
    assert torch.equal(runs.result.model.parameters, expected)
    kinds = {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "lazy": polars.DataFrame}
    assert isinstance(runs.runs, kinds.get(kind, pyarrow.Table))
    assert isinstance(runs.curves, kinds.get(kind, pyarrow.Table))


def test_saved_data_train_again(cli: Command, tmp_path: Path) -> None:
    """The folder of a training on data in memory holds them, and the config that trains on them."""
    runs = of_line(LINE, "data.validation=0.2")
    runs.save(tmp_path / "mine")
    cli("export", "mine", "run=0", "to=experiment")
    (tmp_path / "experiment" / "config.yaml").rename(tmp_path / "experiment" / "again.yaml")
    assert cli("--config-dir", str(tmp_path), "experiment=again", "hydra.run.dir=again").code == 0
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "mine" / "model.safetensors"
    ).read_bytes()


def test_runs_are_looked_at() -> None:
    runs = packtrain.sweep({"model.widths": [[2, 3, 1], [2, 4, 1]], "seed": [5, 6]}, *NETWORK, data=PLANE)
    assert len(runs) == 4 and [run.index for run in runs] == [0, 1, 2, 3]
    assert runs.runs["model.widths"].to_pylist() == ["[2, 3, 1]"] * 2 + ["[2, 4, 1]"] * 2
    assert runs[3].values == {"model.widths": [2, 4, 1], "seed": 6}
    inputs = torch.rand(7, 2, dtype=torch.float64)
    assert runs.predict(inputs).shape == (4, 7, 1)
    assert torch.equal(runs.predict(inputs)[3], runs.predict(inputs, run=3))
    curves = runs.curves.to_pandas()
    assert curves.groupby("run").step.apply(list).tolist() == [[0, 20, 40]] * 4
    assert curves.loss.notna().all() and set(curves) == {"run", "step", "loss", "gradient_norm", "lr"}
    assert "2 packs, 4 runs" in runs.report() and "<table>" in runs._repr_html_() and "4 runs" in repr(runs)
    for run in (4, -1, "worst", 1.5):
        with pytest.raises(packtrain.UserError, match="run is 0 to 3, or 'best'"):
            runs.predict(inputs, run=run)  # pyright: ignore[reportArgumentType]
    with pytest.raises(packtrain.UserError, match="2 packs"):
        _ = runs.result


PLANE = {"inputs": np.random.default_rng(0).random((50, 2)), "target": np.arange(50) / 50}
NETWORK = (
    "~experiment",
    "model=mlp",
    "model.loss=mse",
    "loop.steps=60",
    "loop.batch_size=16",
    "compute.device=cpu",
)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("words", "fields", "sentence"),
    [
        (("experiment=digit",), {}, "there is no experiment=digit .did you mean digits"),
        ((), {"optimizer.rl": 3}, "there is no field optimizer.rl"),
        (("optimizer=sgd",), {"optimizer.lr": -1}, "optimizer.lr is 0 or more; got -1.0"),
        (("seed",), {}, "'seed' is not an override such as seed=3"),
        (("seed=1,2",), {}, "names several values"),
        (("search=random",), {}, "a session trains one pack"),
        ((), {"config_dir": "nowhere"}, "config_dir is a folder of configs"),
        ((), {"data": np.zeros((3, 2))}, r"got ndarray of the shape \[3, 2\], without names"),
        (("data=sklearn",), {"data": LINE}, "data=sklearn names others: keep one"),
        (("~experiment",), {"data": LINE, "model.expressions": "xy = a*xz"}, "data has no column 'xz'"),
    ],
)
def test_what_cannot_be_trained_is_said(words: tuple[str, ...], fields: dict, sentence: str) -> None:
    with pytest.raises(packtrain.UserError, match=sentence):
        packtrain.train(*words, **fields)


def test_what_can_be_trained_of_a_sweep_is() -> None:
    over = {"optimizer": ["adam", "sgd"], "optimizer.momentum": [0.5]}
    with pytest.warns(UserWarning, match="left out: optimizer=adam: optimizer.momentum"):
        runs = packtrain.sweep(over, *DEBUG, "loop.steps=2")
    assert [run.values["optimizer"] for run in runs] == ["sgd"] * 3
    with pytest.raises(packtrain.UserError, match="momentum"):
        packtrain.sweep({"optimizer": ["adam"], "optimizer.momentum": [0.5]}, *DEBUG)
    with pytest.raises(packtrain.UserError, match="seed has no value to try"):
        packtrain.sweep({"seed": []}, *DEBUG)


def test_an_occupied_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(packtrain.UserError, match="holds something already"):
        packtrain.train(*DEBUG, "loop.steps=1", folder=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_terminal_gets_a_bar_and_a_script_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("packtrain.trainer.door.progress.MOMENT", -1.0)
    packtrain.train(*DEBUG)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    packtrain.train(*DEBUG, "monitor.progress=false")
    assert capsys.readouterr().err == ""
    packtrain.train(*DEBUG)
    assert "training" in capsys.readouterr().err
