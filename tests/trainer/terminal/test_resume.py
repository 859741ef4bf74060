"""A sweep that was interrupted, at any instant, goes on and ends as if it had not been."""

import os
import random
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.console.training import train
from packtrain.trainer.folder.command import Command as Typed
from packtrain.trainer.folder.plan import Plan, write_plan
from packtrain.trainer.session import Session
from packtrain.trainer.terminal.resume import resumed
from tests.helpers import Command, result_in
from tests.trainer.sweep.test_sweep import BRIEF, QUICK, rows_in

ASKED = ("-m", *BRIEF, "monitor=default", "data.seed=1,2,3", "seed=shuffle(range(0,5))")
HERE = "hydra.sweep.dir=sweep"


def in_a_child(work: Callable[[], object]) -> int:
    """The process that does `work`, a copy of this one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: a copy has no other threads
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def finished(folder: Path) -> dict[Path, int]:
    """The packs that have results, and when they got them."""
    return {file.parent: file.stat().st_mtime_ns for file in folder.glob("*/result.json")}


def killed(child: int, sweep: Path, packs: int, delay: float) -> None:
    """Kills the child a moment after its sweep has finished so many packs, 0 being its plan."""
    deadline = time.monotonic() + 60
    while not (sweep / "sweep.json").exists() or len(finished(sweep)) < packs:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.thorough
def test_a_killed_sweep_ends_as_an_uninterrupted_one(cli: Command, tmp_path: Path) -> None:
    sweep, delays = tmp_path / "sweep", random.Random(1)
    kept: dict[Path, int] = {}
    for packs in range(3):
        child = in_a_child(lambda: cli(*ASKED, HERE))
        killed(child, sweep, packs, delays.uniform(0, 0.1))
        assert kept.items() <= finished(sweep).items(), "a finished pack was trained again"
        kept = finished(sweep)
        shown = cli("show", "sweep")
        assert shown.code == 0 and "running" not in shown.out, "no process is at it"
    assert len(kept) >= 2
    ended = cli("resume=sweep")
    assert ended.code == 0, ended.err
    assert kept.items() <= finished(sweep).items(), "a finished pack was trained again"
    rows = rows_in(sweep)
    assert [row["index"] for row in rows] == [str(index) for index in range(15)]
    drawn = "seed=" + ",".join(row["seed"] for row in rows[:5])
    whole = [drawn if each.startswith("seed=") else each for each in ASKED]
    assert cli(*whole, "hydra.sweep.dir=whole").code == 0
    assert (sweep / "runs.csv").read_text() == (tmp_path / "whole" / "runs.csv").read_text()


def test_a_finished_sweep_trains_nothing_more_and_no_other_takes_its_folder(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("-m", "experiment=debug", "loop.steps=4", *QUICK, "name=a,b")
    assert cli(*asked, HERE).code == 0
    before, table = finished(tmp_path / "sweep"), (tmp_path / "sweep" / "runs.csv").read_text()
    ended = cli(*asked, HERE)
    assert ended.code == 0 and "a, b: 2 packs, 6 runs (6 finished)" in ended.out
    assert finished(tmp_path / "sweep") == before
    assert (tmp_path / "sweep" / "runs.csv").read_text() == table
    other = cli(*asked, "loop.steps=5", HERE)
    assert (
        other.code == 2 and "holds another sweep, of experiment=debug loop.steps=4 monitor=quiet" in other.err
    )
    assert other.err.count("\n") == 1
    changed = cli("resume=sweep", "loop.steps=5")
    assert changed.code == 2 and "a sweep goes on as it was asked for, without loop.steps=5" in changed.err


def test_a_pack_that_a_signal_stopped_goes_on_from_anywhere(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = tmp_path / "configs" / "points.csv"
    points.parent.mkdir()
    points.write_text("t,v\n1,2\n2,4\n3,6\n")
    (tmp_path / "configs" / "experiment").mkdir()
    (tmp_path / "configs" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [override /data: file]\nname: mine\n"
        "model: {expressions: ['xv = a*xt']}\ndata: {path: configs/points.csv, columns: {xt: t, xv: v}}\n"
    )

    def stopped(session: Session, *others: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        train(session, *others)

    asked = ("--config-dir", "configs", "experiment=mine", "loop.batch_size=3", "loop.steps=4", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("packtrain.trainer.console.training.train", stopped)
        ended = cli("-m", *asked, "seed=1,2", "optimizer=adam,adamw", HERE)
    assert ended.code == 143
    assert "packtrain resume=sweep trains what is left" in ended.out
    found = result_in(tmp_path / "sweep")
    assert found["outcomes"] == {"stopped early": 2} and len(found["failed"]) == 1
    monkeypatch.setattr(Path, "cwd", lambda: Path("/"))
    ended = cli("-m", f"resume={tmp_path / 'sweep'}", "hydra.output_subdir=asked")
    assert ended.code == 0, ended.err
    assert (tmp_path / "sweep" / "1" / "asked").is_dir(), "options of Hydra's may be added"
    assert f"going on in {tmp_path}, where it was started" in ended.err
    assert result_in(tmp_path / "sweep")["outcomes"] == {"finished": 4}


@pytest.mark.parametrize("word", ["resume=nowhere", "resume=", "resume=."])
def test_a_folder_without_a_sweep_is_one_sentence(word: str, cli: Command) -> None:
    ended = cli(word)
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert "no training or sweep has begun there" in ended.err


def test_what_launches_the_rest_may_be_another_with_fields_that_it_lacks(tmp_path: Path) -> None:
    command = Typed("train", [], ["seed=1,2", "+hydra.launcher.ray.remote.max_retries=0"], ".")
    write_plan(tmp_path, Plan(command, ["seed=1,2"], []))
    words = "hydra/launcher=ray", "+hydra.launcher.ray.remote.max_retries=3"
    resumed_by = resumed([f"resume={tmp_path}", *words])
    assert resumed_by == ["-m", "--config-name", "train", "seed=1,2", *words, f'hydra.sweep.dir="{tmp_path}"']
    with pytest.raises(UserError, match="as it was asked for, without seed=3"):
        resumed([f"resume={tmp_path}", "seed=3"])


def test_another_launcher_takes_the_fields_of_the_first_away(tmp_path: Path) -> None:
    slurm = "hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=9"
    write_plan(tmp_path, Plan(Typed("train", [], ["seed=1,2", *slurm], "."), ["seed=1,2"], []))
    resume, folder = f"resume={tmp_path}", f'hydra.sweep.dir="{tmp_path}"'
    first = ["-m", "--config-name", "train", "seed=1,2"]
    assert resumed([resume, "hydra/launcher=basic"]) == [*first, "hydra/launcher=basic", folder]
    for words in ([], [slurm[0]]):
        assert sorted(resumed([resume, *words])[4:-1]) == sorted(slurm)
