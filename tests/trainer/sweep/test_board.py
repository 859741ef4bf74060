"""A sweep in TensorBoard: one folder of the runs of all packs, and one table of what differs between them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from packtrain.trainer.folder.curves import read_curves
from packtrain.trainer.tensorboard import shelf
from tests.helpers import Command
from tests.trainer.curves import scalars

BRIEF = (
    "experiment=debug",
    "monitor=default",
    "monitor.progress=false",
    "monitor.every=1",
    "compute.device=cpu",
)
BATCHES = {"optimizer": "adam", "loop.batch_size": "64"}, {"optimizer": "adam", "loop.batch_size": "full"}


def plugin_data(folder: Path, tag: str) -> bytes | None:
    """What HParams finds under a tag in the event file of a run; None without."""
    found = EventAccumulator(str(folder))
    found.Reload()
    there = tag in found.Tags()["tensors"]
    return found.SummaryMetadata(tag).plugin_data.content if there else None


def hyperparameters(folder: Path) -> dict[str, Any]:
    """field -> its value in a run, a number or a text."""
    content = plugin_data(folder, metadata.SESSION_START_INFO_TAG)
    assert content is not None
    hparams = metadata.parse_session_start_info_plugin_data(content).hparams
    return {field: getattr(value, value.WhichOneof("kind")) for field, value in hparams.items()}


def columns(folder: Path) -> list[str] | None:
    content = plugin_data(folder, metadata.EXPERIMENT_TAG)
    about = metadata.parse_experiment_plugin_data(content) if content is not None else None
    return about and [info.name for info in about.hparam_infos]


def test_packs_of_one_run_are_one_table(cli: Command, tmp_path: Path) -> None:
    varied = "optimizer=adam", "loop.batch_size=64,full", "hydra.sweep.dir=sweep"
    assert cli("-m", *BRIEF, "pack.over={seed: null}", *varied).code == 0
    runs = sorted((tmp_path / "sweep" / "tensorboard").glob("[12] *"))
    assert {folder.name[2:] for folder in runs} == {"batch_size=64", "batch_size=full"}
    assert not (tmp_path / "sweep" / "tensorboard-all").exists()
    for folder in runs:
        own = hyperparameters(folder)
        assert {field: own[field] for field in BATCHES[0]} in BATCHES  # texts, since one is no number
        assert own["optimizer.lr"] == pytest.approx(0.03) and columns(folder) is None
    assert columns(tmp_path / "sweep" / "tensorboard" / "summary") == ["loop.batch_size"]


@pytest.fixture
def swept(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of two packs of three runs, of which TensorBoard opens with two."""
    for module in ("tensorboard.shelf", "tensorboard.board", "sweep.board"):
        monkeypatch.setattr(f"packtrain.trainer.{module}.MOST_SHOWN", 2)
    rates = "{seed: '1,2,3', optimizer.clip_norm: 'null'}"
    assert cli("-m", *BRIEF, "optimizer=adam,nadam", f"pack.over={rates}", "hydra.sweep.dir=sweep").code == 0
    return tmp_path / "sweep"


def test_the_best_of_all_packs_are_beside_all_runs(swept: Path) -> None:
    every = sorted(path.name for path in (swept / "tensorboard-all").iterdir())
    shown = sorted(path.name for path in (swept / "tensorboard").iterdir())
    assert shown == [*every[:2], "summary"] and len(every) == 7
    assert {name[2:] for name in every[:-1]} == {
        f"optimizer={kind},seed={seed}" for kind in ("adam", "nadam") for seed in (1, 2, 3)
    }
    assert hyperparameters(swept / "tensorboard" / shown[0])["seed"] in (1.0, 2.0, 3.0)
    assert "optimizer.clip_norm" not in hyperparameters(swept / "tensorboard" / shown[0])  # it is None
    files = dict(shelf.files_of_runs(swept / "0" / "tensorboard"))
    assert len(files) == 3 and all(file.stat().st_nlink >= 2 for file in files.values())


def test_the_summary_is_of_all_packs(swept: Path) -> None:
    summary = swept / "tensorboard" / "summary"
    losses = np.concatenate([read_curves(swept / pack).grid("loss")[1] for pack in "01"], 1)
    for tag, fraction in {"best": 0.0, "median": 0.5, "quantile_90": 0.9}.items():
        points = scalars(summary)[f"loss/train/{tag}"]
        assert [value for _, value in points] == pytest.approx(
            np.quantile(losses, fraction, axis=1), rel=1e-6
        )
    (linked,) = (swept / "tensorboard-all" / "summary").iterdir()
    assert linked.samefile(next(summary.iterdir()))
    assert columns(summary) == ["optimizer", "seed", "optimizer.clip_norm"]
