"""Event files are found again whatever their folders are called, wherever a process that moved them died."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.trainer.tensorboard.events import EventFiles
from packtrain.trainer.tensorboard.shelf import MOST_SHOWN, Shelf, files_of_runs

CALLS = "rename", "unlink", "link", "mkdir", "rmdir"


class Killed(BaseException):
    """The process would be gone."""


def shelf_of(folder: Path, runs: int) -> Shelf:
    return Shelf(folder / "tensorboard", [f"seed={run}" for run in range(runs)], summary=runs > 1)


def begun(folder: Path, runs: int) -> list[Path]:
    """The files of a training: in each stands whose it is."""
    shelf = shelf_of(folder, runs)
    files = EventFiles(shelf.folders, shelf.marks)
    files.begin()
    for path, mark in zip(files.paths, shelf.marks, strict=True):
        path.write_text(mark)
    return files.paths


def end(shelf: Shelf, files: list[Path]) -> None:
    """What a training does at its end: the last runs were the best."""
    runs = len(shelf.names)
    shelf.rank(files, range(runs)[::-1])
    if runs > MOST_SHOWN:
        shelf.link([*files[-1 - MOST_SHOWN : -1], files[-1]])


def contents(folder: Path) -> dict[str, str]:
    files = folder.glob("tensorboard*/**/events*")
    return {str(file.parent.relative_to(folder)): file.read_text() for file in files}


def dying_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its call number `count` on nothing can be done to the disk."""
    left = [count]

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return call(*args, **options)

        return guard

    for name in CALLS:
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


@pytest.mark.parametrize("runs", [3, MOST_SHOWN + 2])
def test_a_kill_anywhere_between_renames_loses_nothing(
    runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shelf_of(tmp_path / "whole", runs)
    end(whole, begun(tmp_path / "whole", runs))
    expected = contents(tmp_path / "whole")
    folder, count, died = tmp_path / "cut", 0, True
    before = {path.parent.name: path.read_text() for path in begun(folder, runs)}
    while died:  # the training goes on, and dies one operation later than the last time
        died = False
        with monkeypatch.context() as patched:
            dying_at(count, patched)
            try:
                files = shelf_of(folder, runs).gather()
                end(shelf_of(folder, runs), [file for file in files if file])
            except Killed:
                died = True
        count += 1
    assert count > runs and contents(folder) == expected
    files = shelf_of(folder, runs).gather()
    assert {path.parent.name: path.read_text() for path in files if path} == before
    assert len(list(folder.glob("tensorboard*/*"))) == runs + 1


@pytest.mark.parametrize("runs", [1, 3, MOST_SHOWN + 2])
def test_the_folders_of_version_0_1_become_ours(runs: int, tmp_path: Path) -> None:
    shown, name = tmp_path / "tensorboard", "events.out.tfevents.1700000000.host.77"
    for run in range(runs):
        folder = shown / f"run-{run:04d}" if runs > 1 else shown
        folder.mkdir(parents=True)
        (folder / name).write_text(f"run{run}")
    if runs > 1:
        (shown / "summary").mkdir()
        (shown / "summary" / name).write_text("summary")
        (shown / "best" / "01-run-0002").mkdir(parents=True)
        os.link(shown / "run-0002" / name, shown / "best" / "01-run-0002" / name)
    assert {run: file.read_text() for run, file in files_of_runs(shown)} == {
        r: f"run{r}" for r in range(runs)
    }
    shelf = shelf_of(tmp_path, runs)
    files = shelf.gather()
    assert [path and (path.parent, path.name, path.read_text()) for path in files] == [
        (folder, f"{name}.{mark}", mark) for folder, mark in zip(shelf.folders, shelf.marks, strict=True)
    ]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == runs + (runs > 1)
    assert not (shown / "best").exists() and not (shown / "run-0000").exists()


def test_what_is_somebody_elses_stays(tmp_path: Path) -> None:
    begun(tmp_path, 3)
    (tmp_path / "tensorboard" / "notes").mkdir()
    (tmp_path / "tensorboard" / "notes" / "mine.txt").write_text("of the runs")
    shelf_of(tmp_path, 3).clear()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.txt"]
