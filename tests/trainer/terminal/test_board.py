"""What `packtrain board` serves: a folder of ours, or links to those of several trainings."""

import socket
from pathlib import Path

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.terminal import board
from tests.helpers import Command


def training(folder: Path, *runs: str, every: int = 0) -> Path:
    for run in runs:
        (folder / "tensorboard" / run).mkdir(parents=True)
    for run in range(every):
        (folder / "tensorboard-all" / f"{run + 1:02d} seed={run}").mkdir(parents=True)
    return folder


def served(folder: Path, every: bool = False) -> tuple[dict[str, list[str]], str]:
    """name -> the runs in what TensorBoard reads, and what is said of it."""
    with board._logdir(folder, every) as (logdir, what):
        return {path.name: sorted(run.name for run in path.iterdir()) for path in logdir.iterdir()}, what


def test_a_training_has_its_best_or_all(tmp_path: Path) -> None:
    folder = training(tmp_path / "out", "01 seed=0", "summary", every=3)
    assert {*served(folder)[0]} == {"01 seed=0", "summary"}
    assert len(served(folder, every=True)[0]) == 3
    alone = training(tmp_path / "alone", "primer")
    assert {*served(alone, every=True)[0]} == {*served(alone / "tensorboard")[0]} == {"primer"}


def test_several_trainings_have_their_names(tmp_path: Path) -> None:
    training(tmp_path / "primer" / "2026-11-29", "primer")
    training(tmp_path / "digits" / "2026-11-30", "1 seed=0", "2 seed=1", "summary")
    (tmp_path / "digits" / ".hidden" / "tensorboard").mkdir(parents=True)
    names, what = served(tmp_path)
    assert names == {
        "primer 2026-11-29": [],  # the run's own folder
        "digits 2026-11-30": ["1 seed=0", "2 seed=1", "summary"],
    }
    assert what.startswith("2 trainings in ")


def test_of_too_many_runs_there_is_the_best_of_each_training(tmp_path: Path) -> None:
    for day in range(board.SELECTED + 2):
        training(tmp_path / f"{day:02d}", "1 seed=3", "2 seed=1", "summary", every=12)
    names, what = served(tmp_path)
    assert len(names) == board.SELECTED and not any(names.values())
    assert (
        what.startswith(f"the best run of each of {board.SELECTED} trainings") and "of 42; all=true" in what
    )
    names, _ = served(tmp_path, every=True)
    assert len(names) == board.SELECTED + 2 and all(len(runs) == 12 for runs in names.values())


def test_a_sweep_that_is_running_shows_its_packs(tmp_path: Path) -> None:
    for pack in "01":
        training(tmp_path / "sweep" / pack, "summary")
    assert {*served(tmp_path / "sweep")[0]} == {"0", "1"}


def test_nothing_to_show_is_said(tmp_path: Path, cli: Command) -> None:
    with pytest.raises(UserError, match="holds no curves for TensorBoard"):
        served(tmp_path)
    for typed, said in {"all=some": "all is true or false", "port=0": "port is a number from 1 to"}.items():
        ended = cli("board", str(tmp_path), typed)
        assert ended.code == 2 and said in ended.err


def test_a_port_that_is_taken_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind((board.HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        assert board._free(taken) != taken
        assert f"port {taken} is taken" in capsys.readouterr().err
