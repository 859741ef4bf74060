"""What a training looks like in TensorBoard."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from packtrain.kernels.language import parse
from packtrain.trainer.config.pack import Pack
from packtrain.trainer.config.schema import Config
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.tensorboard import board
from packtrain.trainer.tensorboard.board import Board
from tests.helpers import Command, result_in
from tests.trainer.curves import run_folder, scalars

DIVERGING = "experiment=debug", "optimizer=sgd", "pack.over={seed: null}"


def test_a_run_is_watched_by_every_scalar(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", "pack.over={seed: null}").code == 0
    found = scalars(run_folder(tmp_path / "out"))
    assert set(found) == {
        "loss/train",
        "loss/validation",
        *(f"{group}/{name}" for group in ("metrics", "result/metrics") for name in ("rmse", "mae", "r2")),
        "result/loss/train",
        "result/loss/validation",
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
    best, *_ = ranked(tmp_path / "out")
    folders = sorted(path.name for path in (tmp_path / "out" / "tensorboard").iterdir())
    assert len(folders) == 4 and folders[0] == f"1 seed={best}" and folders[-1] == "summary"
    assert not (tmp_path / "out" / "tensorboard-all").exists()


def test_training_again_into_a_folder_leaves_one_curve(cli: Command, tmp_path: Path) -> None:
    for runs in (12, 2):
        assert cli("experiment=debug", f'pack.over={{seed: "range(0,{runs})"}}').code == 0
    assert len(list((tmp_path / "out" / "tensorboard").rglob("*"))) == 2 * 3
    assert not (tmp_path / "out" / "tensorboard-all").exists()


def test_a_diverged_run_has_no_points_after_its_end(cli: Command, tmp_path: Path) -> None:
    assert cli(*DIVERGING, "monitor.every=1", 'pack.over={optimizer.lr: "1e-7,1e30"}').code == 0
    kept, frozen = (scalars(run_folder(tmp_path / "out", run)) for run in (0, 1))
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
    curves = [dict(scalars(run_folder(tmp_path / "out", run))["loss/train"]) for run in range(4)]
    assert min(map(len, curves)) < 5
    for tag, points in scalars(folder / "summary").items():
        fraction = {"best": 0, "quantile_10": 0.1, "median": 0.5, "quantile_90": 0.9}[tag.split("/")[-1]]
        losses = [[curve[step] for curve in curves if step in curve] for step in range(20)]
        assert points == [(step, quantile(each, fraction)) for step, each in enumerate(losses)]


def test_the_summary_ends_where_all_runs_have_diverged(cli: Command, tmp_path: Path) -> None:
    assert cli(*DIVERGING, "monitor.every=1", 'pack.over={optimizer.lr: "1e25,1e30"}').code == 1
    folder = tmp_path / "out" / "tensorboard"
    longest = max(len(scalars(run_folder(tmp_path / "out", run))["loss/train"]) for run in range(2))
    assert {len(points) for points in scalars(folder / "summary").values()} == {longest}


def ranked(training: Path) -> list[int]:
    """The runs, the best first."""
    loss = {row["index"]: row["loss"]["validation"] for row in result_in(training)["run"]}
    return sorted(loss, key=loss.__getitem__)


@pytest.mark.parametrize("links", [True, False])
def test_the_ten_best_are_linked_by_rank(
    links: bool, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *paths: os.readlink("nothing"))
    assert cli("experiment=debug", 'pack.over={seed: "range(0,12)"}').code == 0
    shown, every = (tmp_path / "out" / name for name in ("tensorboard", "tensorboard-all"))
    names = [f"{place:02d} seed={run}" for place, run in enumerate(ranked(tmp_path / "out"), 1)]
    assert sorted(path.name for path in every.iterdir()) == [*names, "summary"]
    assert sorted(path.name for path in shown.iterdir()) == [*names[:10], "summary"]
    for path in shown.iterdir():
        (file,), (same,) = path.iterdir(), (every / path.name).iterdir()
        assert file.samefile(same) == links and file.read_bytes() == same.read_bytes()


def test_a_run_that_diverged_is_not_among_the_best(cli: Command, tmp_path: Path) -> None:
    rates = ",".join(["1e-7"] * 4 + ["1e30"] * 8)
    assert cli(*DIVERGING, f'pack.over={{optimizer.lr: "{rates}"}}').code == 0
    names = sorted(path.name for path in (tmp_path / "out" / "tensorboard").iterdir())
    assert names == [*(f"{run + 1:02d} lr=1e-07 run {run}" for run in range(4)), "summary"]


def test_ten_runs_are_all_shown(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", 'pack.over={seed: "range(0,10)"}').code == 0
    assert len(list((tmp_path / "out" / "tensorboard").iterdir())) == 11
    assert not (tmp_path / "out" / "tensorboard-all").exists()


def test_writing_takes_a_twentieth_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, model = [0.0], ExpressionModel(parse("xy = a*x"), torch.ones(1, 1), "mse", None)
    monkeypatch.setattr(board.time, "perf_counter", lambda: clock[0])
    watched = Board(tmp_path, Pack(Config(), {}, 1), model, validated=False)
    watched.begin()
    flushes: list[float] = []

    def flush() -> None:
        flushes.append(clock[0])
        clock[0] += 1.0 if len(flushes) == 2 else 0.01

    monkeypatch.setattr(watched.files, "flush", flush)
    for clock[0] in np.arange(0, 60, 0.5):
        watched.flush_if_due()
    assert flushes[:4] == [2.5, 5.0, 25.5, 28.0]


def texts(training: Path) -> dict[str, str]:
    """tag -> the text that TensorBoard's own reader finds in the file that speaks for all runs."""
    folder = training / "tensorboard" / "summary"
    found = EventAccumulator(str(folder if folder.exists() else run_folder(training)))
    found.Reload()
    tags = {"config", "outcome", "equations"} & {*found.Tags()["tensors"]}
    return {tag: found.Tensors(tag)[-1].tensor_proto.string_val[0].decode() for tag in tags}


@pytest.mark.parametrize("varied", ["pack.over={seed: null}", 'pack.over={seed: "range(0,3)"}'])
def test_the_texts_are_config_outcome_and_fitted_equations(varied: str, cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=debug", varied).code == 0
    found, best = texts(tmp_path / "out"), ranked(tmp_path / "out")[0]
    config = OmegaConf.create(found["config"].strip("`").removeprefix("yaml"))
    assert OmegaConf.select(config, "optimizer.lr") == 0.03
    row = next(row for row in result_in(tmp_path / "out")["run"] if row["index"] == best)
    assert f"ab = {row['parameters']['ab']['value']:.5g}\n" in found["equations"]
    assert f"xw = {row['parameters']['cd']['value']:.6g}*xx + xz^3" in found["equations"]
    assert "debug: " in found["outcome"] and "validation" in found["outcome"]


def test_an_mlp_has_no_equations(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=gaussians", "loop.steps=5", "data.size=400").code == 0
    assert {"config", "outcome"} <= {*texts(tmp_path / "out")} and "equations" not in texts(tmp_path / "out")


@pytest.fixture
def drawn() -> None:
    """Trainings end with pictures."""


def test_time_series_begin_with_the_loss(cli: Command, drawn: None, tmp_path: Path) -> None:
    """They are in the order of tags: whatever else there is of a classifier comes later."""
    brief = "experiment=gaussians", "loop.steps=5", "data.size=400", 'pack.over={seed: "0,1"}'
    assert cli(*brief).code == 0
    tags = set()
    for folder in (tmp_path / "out" / "tensorboard").iterdir():
        found = EventAccumulator(str(folder))
        found.Reload()
        tags |= {tag for kind in ("scalars", "images", "histograms") for tag in found.Tags()[kind]}
    assert len(tags) > 12 and min(tags).startswith("loss/")
