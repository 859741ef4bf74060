"""Event files: TensorBoard's own reader reads back what was written."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers import Command
from trainer.monitor.events import EventFile


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "run")
    file.add(0, {"loss": 2.0, "lr": 0.5})
    file.flush()
    file.add(10, {"loss": 1.0})
    file.flush()
    assert scalars(tmp_path / "run") == {"loss": [(0, 2.0), (10, 1.0)], "lr": [(0, 0.5)]}


def test_nothing_is_written_before_a_flush_and_nothing_twice(tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    size = file.path.stat().st_size
    file.add(0, {"loss": 2.0})
    assert file.path.stat().st_size == size
    file.flush()
    size = file.path.stat().st_size
    file.flush()
    assert file.path.stat().st_size == size


def test_a_run_is_watched_by_every_scalar(packtrain: Command, tmp_path: Path) -> None:
    assert packtrain("experiment=debug", "pack.over={seed: null}").code == 0
    found = scalars(tmp_path / "out" / "tensorboard")
    assert set(found) == {
        "loss/train",
        "loss/validation",
        "metrics/rmse",
        "metrics/mae",
        "optimizer/gradient_norm",
        "optimizer/lr",
        "speed/samples_per_second",
        *(f"parameters/{name}" for name in ("ab", "ac", "bc", "cd")),
    }
    assert [step for step, _ in found["loss/train"]] == [0, 5, 10, 15]
    assert [step for step, _ in found["loss/validation"]] == [10, 20]
    assert [step for step, _ in found["parameters/ab"]] == [0, 5, 10, 15, 20]
    assert found["optimizer/lr"][0][1] == pytest.approx(0.03)


def test_a_pack_has_a_folder_a_run(packtrain: Command, tmp_path: Path) -> None:
    assert packtrain("experiment=debug").code == 0
    folders = sorted(path.name for path in (tmp_path / "out" / "tensorboard").iterdir())
    assert folders == ["run-0000", "run-0001", "run-0002"]


def test_training_again_into_a_folder_leaves_one_curve(packtrain: Command, tmp_path: Path) -> None:
    for _ in range(2):
        assert packtrain("experiment=debug").code == 0
    assert len(list((tmp_path / "out" / "tensorboard").rglob("events.*"))) == 3


def test_a_diverged_run_has_no_points_after_its_end(packtrain: Command, tmp_path: Path) -> None:
    asked = ("experiment=debug", "optimizer=sgd", "monitor.every=1", "pack.over={seed: null}")
    assert packtrain(*asked, 'pack.over={optimizer.lr: "1e-7,1e30"}').code == 0
    kept, frozen = (scalars(tmp_path / "out" / "tensorboard" / f"run-000{run}") for run in (0, 1))
    assert len(kept["loss/train"]) == 20
    assert len(frozen["loss/train"]) < 5
    assert "loss/validation" not in frozen


def test_monitor_quiet_writes_no_events_and_prints_no_progress(packtrain: Command, tmp_path: Path) -> None:
    assert packtrain("experiment=debug", "monitor=quiet").code == 0
    assert not list((tmp_path / "out").rglob("events.*"))
