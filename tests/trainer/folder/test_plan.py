"""The plan of a sweep: as older versions wrote it, so it is read and written; what is known of its packs."""

import fcntl
import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.folder.command import Command
from packtrain.trainer.folder.lock import locked
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.plan import FILE, Plan, PlannedPack, check_same, read_plan, state, write_plan

WRITTEN = """{
 "asked": {
  "config_name": "train",
  "config_dirs": [
   "configs"
  ],
  "overrides": [
   "optimizer=adam,sgd",
   "seed=1,2"
  ]
 },
 "typed": [
  "seed=1,2",
  "hydra.sweep.dir=sweep",
  "hydra.mode=MULTIRUN"
 ],
 "cwd": "/home/me",
 "packs": [
  {
   "folder": "0",
   "overrides": [
    "pack.over={seed:\\"1,2\\"}",
    "optimizer=adam"
   ],
   "values": {
    "optimizer": "adam"
   },
   "first": 0,
   "runs": 2,
   "refused": ""
  }
 ],
 "objective": {
  "name": "loss.train",
  "maximized": false
 },
 "files": {
  "points.csv": "c0ffee"
 }
}
"""  # by version 0.1.0
PLAN = Plan(
    Command("train", ["configs"], ["seed=1,2", "hydra.sweep.dir=sweep", "hydra.mode=MULTIRUN"], "/home/me"),
    ["optimizer=adam,sgd", "seed=1,2"],
    [PlannedPack("0", ['pack.over={seed:"1,2"}', "optimizer=adam"], {"optimizer": "adam"}, 0, 2)],
    Objective("loss.train"),
    {"points.csv": "c0ffee"},
)


def test_a_plan_is_read_and_written_as_it_always_was(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(WRITTEN)
    assert read_plan(tmp_path) == PLAN
    (tmp_path / FILE).unlink()
    write_plan(tmp_path, PLAN)
    assert (tmp_path / FILE).read_text() == WRITTEN


def test_a_plan_from_before_there_were_files_is_read(tmp_path: Path) -> None:
    old = json.loads(WRITTEN)
    del old["files"]
    (tmp_path / FILE).write_text(json.dumps(old | {"objective": None}))
    assert read_plan(tmp_path) == replace(PLAN, files={}, objective=None)


@pytest.mark.parametrize("wrong", [{"cwd": 3}, {"typed": [None]}, {"asked": {}}, {"packs": [{"first": 0}]}])
def test_what_is_no_plan_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(json.loads(WRITTEN) | wrong))
    with pytest.raises(UserError, match=r"sweep\.json is no plan of a sweep"):
        read_plan(tmp_path)


def test_a_sweep_goes_on_for_its_own_config_and_overrides_alone() -> None:
    command, overrides = PLAN.command, PLAN.overrides
    check_same(Path("sweep"), PLAN, replace(command, typed=[], cwd="/"), overrides)
    for other, theirs in (
        (replace(command, config_name="mine"), overrides),
        (replace(command, config_dirs=[]), overrides),
        (command, overrides[1:]),
    ):
        with pytest.raises(UserError, match="holds another sweep, of optimizer=adam,sgd seed=1,2: take"):
            check_same(Path("sweep"), PLAN, other, theirs)


def begun(folder: Path) -> None:
    folder.mkdir()


def left(folder: Path) -> None:
    """As a process that was killed leaves it: the lock is there, and nobody has it."""
    with locked(folder):
        pass


def has_results(interrupted: bool) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        left(folder)
        (folder / "result.json").write_text(json.dumps({"interrupted": interrupted}))

    return write


@pytest.mark.parametrize(
    ("prepare", "alone", "in_process"),
    [
        (lambda folder: None, "waiting", "running"),
        (begun, "begun", "running"),
        (left, "cut short", "running"),
        (has_results(interrupted=True), "interrupted", "running"),
        (has_results(interrupted=False), "finished", "finished"),
    ],
)
def test_the_lock_tells_whether_a_pack_is_running(
    prepare: Callable[[Path], None], alone: str, in_process: str, tmp_path: Path
) -> None:
    (pack,) = PLAN.packs
    prepare(tmp_path / pack.folder)
    for lock, expected in ((nullcontext(), alone), (locked(tmp_path / pack.folder), in_process)):
        with lock:
            before = sorted(tmp_path.rglob("*"))
            assert state(tmp_path, pack) == expected
            assert state(tmp_path, replace(pack, refused="no data")) == "left out"
            assert sorted(tmp_path.rglob("*")) == before


def test_who_looks_takes_no_folder_from_who_trains(tmp_path: Path) -> None:
    """A look holds the lock for an instant."""
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        end_of_look = threading.Timer(0.01, fcntl.flock, (file, fcntl.LOCK_UN))
        end_of_look.start()
        with locked(tmp_path):
            end_of_look.join()
