"""What a training looks like in TensorBoard."""

import os
from pathlib import Path

import numpy as np
import pytest

from packtrain.trainer.config.pack import Pack
from packtrain.trainer.config.schema import Config
from packtrain.trainer.tensorboard import board
from packtrain.trainer.tensorboard.board import Board
from tests.helpers import Command, result_in
from tests.trainer.curves import scalars

DIVERGING = "experiment=debug", "optimizer=sgd", "pack.over={seed: null}"


def test_a_run_is_watched_by_every_scalar(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", "pack.over={seed: null}").code == 0
    found = scalars(tmp_path / "out" / "tensorboard")
    assert set(found) == {
        "loss/train",
        "loss/validation",
        "metrics/rmse",
        "metrics/mae",
        "metrics/r2",
        "optimizer/gradient_norm",
        "optimizer/lr",
        "speed/samples_per_second",
        *(f"parameters/{name}" for name in ("ab", "ac", "bc", "cd")),
    }
    assert [step for step, _ in found["loss/train"]] == [0, 5, 10, 15]
    assert [step for step, _ in found["loss/validation"]] == [10, 20]
    assert [step for step, _ in found["parameters/ab"]] == [0, 5, 10, 15, 20]
    assert found["optimizer/lr"][0][1] == pytest.approx(0.03)


def test_a_pack_has_a_folder_a_run_and_a_summary(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug").code == 0
    folders = sorted(path.name for path in (tmp_path / "out" / "tensorboard").iterdir())
    assert folders == ["run-0000", "run-0001", "run-0002", "summary"]


def test_training_again_into_a_folder_leaves_one_curve(cli: Command, tmp_path: Path) -> None:
    for runs in (12, 2):
        assert cli("experiment=debug", f'pack.over={{seed: "range(0,{runs})"}}').code == 0
    assert len(list((tmp_path / "out" / "tensorboard").rglob("events.*"))) == 3
    assert not (tmp_path / "out" / "tensorboard" / "best").exists()


def test_a_diverged_run_has_no_points_after_its_end(cli: Command, tmp_path: Path) -> None:
    assert cli(*DIVERGING, "monitor.every=1", 'pack.over={optimizer.lr: "1e-7,1e30"}').code == 0
    kept, frozen = (scalars(tmp_path / "out" / "tensorboard" / f"run-000{run}") for run in (0, 1))
    assert len(kept["loss/train"]) == 20
    assert len(frozen["loss/train"]) < 5
    assert "loss/validation" not in frozen


def test_monitor_quiet_writes_no_events_and_prints_no_progress(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", "monitor=quiet").code == 0
    assert not list((tmp_path / "out").rglob("events.*"))


def quantile(losses: list[float], fraction: float) -> float:
    return np.quantile(np.array(losses, np.float32), [fraction]).astype(np.float32).item()


def test_the_summary_is_of_the_runs_that_still_train(cli: Command, tmp_path: Path) -> None:
    assert cli(*DIVERGING, "monitor.every=1", 'pack.over={optimizer.lr: "1e-7,2e-7,3e-7,1e30"}').code == 0
    folder = tmp_path / "out" / "tensorboard"
    curves = [dict(scalars(folder / f"run-000{run}")["loss/train"]) for run in range(4)]
    assert min(map(len, curves)) < 5
    for tag, points in scalars(folder / "summary").items():
        fraction = {"best": 0, "quantile_10": 0.1, "median": 0.5, "quantile_90": 0.9}[tag.split("/")[-1]]
        losses = [[curve[step] for curve in curves if step in curve] for step in range(20)]
        assert points == [(step, quantile(each, fraction)) for step, each in enumerate(losses)]


def test_the_summary_ends_where_all_runs_have_diverged(cli: Command, tmp_path: Path) -> None:
    assert cli(*DIVERGING, "monitor.every=1", 'pack.over={optimizer.lr: "1e25,1e30"}').code == 1
    folder = tmp_path / "out" / "tensorboard"
    longest = max(len(scalars(folder / f"run-000{run}")["loss/train"]) for run in range(2))
    assert {len(points) for points in scalars(folder / "summary").values()} == {longest}


@pytest.mark.parametrize("links", [True, False])
def test_the_ten_best_are_linked_by_rank(
    links: bool, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *paths: os.readlink("nothing"))
    assert cli("experiment=debug", 'pack.over={seed: "range(0,12)"}').code == 0
    folder = tmp_path / "out" / "tensorboard"
    loss = {each["index"]: each["loss"]["validation"] for each in result_in(tmp_path / "out")["run"]}
    ranked = sorted(loss, key=loss.__getitem__)[:10]
    best = sorted((folder / "best").iterdir())
    assert [path.name for path in best] == [f"{i:02d}-run-{run:04d}" for i, run in enumerate(ranked, 1)]
    for path, run in zip(best, ranked, strict=True):
        (file,), (same,) = path.iterdir(), (folder / f"run-{run:04d}").iterdir()
        assert file.samefile(same) == links and file.read_bytes() == same.read_bytes()


def test_a_run_that_diverged_is_not_among_the_best(cli: Command, tmp_path: Path) -> None:
    rates = ",".join(["1e-7"] * 4 + ["1e30"] * 8)
    assert cli(*DIVERGING, f'pack.over={{optimizer.lr: "{rates}"}}').code == 0
    names = sorted(path.name for path in (tmp_path / "out" / "tensorboard" / "best").iterdir())
    assert [name[3:] for name in names] == [f"run-000{run}" for run in range(4)]


def test_ten_runs_have_no_folder_of_the_best(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", 'pack.over={seed: "range(0,10)"}').code == 0
    assert not (tmp_path / "out" / "tensorboard" / "best").exists()


def test_writing_takes_a_twentieth_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(board.time, "perf_counter", lambda: clock[0])
    watched = Board(tmp_path, Pack(Config(), {}, 1), [], validated=False)
    watched.begin()
    flushes: list[float] = []

    def flush() -> None:
        flushes.append(clock[0])
        clock[0] += 1.0 if len(flushes) == 2 else 0.01

    monkeypatch.setattr(watched.files, "flush", flush)
    for clock[0] in np.arange(0, 60, 0.5):
        watched.flush_if_due()
    assert flushes[:4] == [2.5, 5.0, 25.5, 28.0]
