"""`packtrain join=FOLDER`: workers share a sweep, and end it as a single command would have."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrain.trainer.folder.attempts import MOST, Attempts, read_attempts, write_attempts
from packtrain.trainer.folder.command import Command as Typed
from packtrain.trainer.folder.lock import claimed
from packtrain.trainer.folder.plan import Plan, PlannedPack, read_plan
from packtrain.trainer.session import Session
from packtrain.trainer.sweep.failed import PackBroke, PackFailed
from packtrain.trainer.sweep.join import Worker
from packtrain.trainer.terminal.main import main
from tests.helpers import Command, Ended, result_in
from tests.trainer.sweep.test_sweep import BRIEF
from tests.trainer.terminal.test_resume import in_a_child

WORDS = (*BRIEF, "compute.device=cpu", "checkpoint.every=2", "data.seed=1,2,3", "seed=1")
TABLES = "runs.csv", "runs.parquet", "curves.parquet"
Advance = Callable[..., None]
advance = Session.advance


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Process:
    """A process that joins the sweep in `folder`, from there; it does `instead` of advancing a session."""

    def __init__(self, folder: Path, instead: Advance = advance, words: tuple[str, ...] = WORDS) -> None:
        self.output = folder / f"worker-{time.monotonic_ns()}"
        self.process = in_a_child(lambda: self._work(folder, instead, words))

    def _work(self, folder: Path, instead: Advance, words: tuple[str, ...]) -> None:
        os.chdir(folder)
        with self.output.open("w", buffering=1) as sys.stdout, self.output.open("a") as sys.stderr:
            Session.advance = instead  # in this process alone
            sys.argv = ["packtrain", *words, "join=sweep"]
            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        os._exit(code)

    def end(self, number: int = 0) -> Ended:
        """How it ended, by the signal of this number if there is one."""
        if number:
            os.kill(self.process, number)
        _, status = os.waitpid(self.process, 0)
        return Ended(os.waitstatus_to_exitcode(status), self.output.read_text(), "")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.trainer.sweep.join.PAUSE", 0.02)


def stuck(self: Session, *given: Any) -> None:
    """Behind the first checkpoint, for ever."""
    while self.step >= 2:
        time.sleep(1)
    advance(self, *given)


def noting(folder: Path) -> Advance:
    """Leaves a file for each step that a session of one data set begins with."""

    def note(self: Session, *given: Any) -> None:
        (folder / f"{self.pack.config.data.seed} {self.step}").touch()
        advance(self, *given)

    return note


def test_three_share_a_sweep_and_one_is_killed(cli: Command, tmp_path: Path) -> None:
    sweep, steps = tmp_path / "sweep", tmp_path / "steps"
    steps.mkdir()
    killed = Process(tmp_path, stuck)
    until(lambda: any(sweep.glob("0/checkpoint/step-*2.safetensors")))
    others = [Process(tmp_path, noting(steps)) for _ in range(2)]
    until(lambda: (sweep / "1" / "result.json").exists() and (sweep / "2" / "result.json").exists())
    assert not (sweep / "runs.csv").exists()
    running = cli("show", "sweep")
    assert "running" in running.out, running
    assert "is being written by another packtrain" in cli("-m", *WORDS, "hydra.sweep.dir=sweep").err
    assert killed.end(signal.SIGKILL).code == -signal.SIGKILL
    ended = [worker.end() for worker in others]
    assert [one.code for one in ended] == [0, 0], ended
    assert sum("3 packs, 3 runs (3 finished)" in one.out for one in ended) == 1
    assert sum("has the results of all" in one.out for one in ended) == 1
    begun = sorted(file.name for file in steps.iterdir())
    assert not {"1 0"} & {*begun} and {"1 2", "2 0", "3 0"} <= {*begun}, "it began anew"
    assert cli("-m", *WORDS, "hydra.sweep.dir=whole").code == 0
    for table in TABLES:
        assert (sweep / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()
    assert not list(sweep.glob("*/attempts.json"))
    plan = read_plan(sweep)
    assert plan and "hydra/launcher=join" not in plan.command.typed, "resume= is for one process"


def plan_of(packs: int) -> Plan:
    return Plan(Typed("train", [], [], "."), [], [PlannedPack(str(i), [], {}, i, 1) for i in range(packs)])


def trains(root: Path, **instead: BaseException) -> tuple[Callable[[PlannedPack], None], list[str]]:
    """What trains a pack, and those that it was called for; some `instead` raise."""
    called: list[str] = []

    def train(pack: PlannedPack) -> None:
        called.append(pack.folder)
        if error := instead.get(f"pack{pack.folder}"):
            raise error
        (root / pack.folder / "result.json").write_text('{"interrupted": false}')

    return train, called


def test_a_signal_leaves_a_pack_to_the_next(tmp_path: Path) -> None:
    train, called = trains(tmp_path, pack1=SystemExit(143))
    with pytest.raises(SystemExit, match="143"):
        Worker(tmp_path, plan_of(3), train).work()
    assert called == ["0", "1"] and read_attempts(tmp_path / "1") == Attempts(), "that was no failure"
    train, called = trains(tmp_path)
    Worker(tmp_path, plan_of(3), train).work()
    assert called == ["1", "2"]


def test_who_does_not_wait_leaves_when_others_have_the_rest(tmp_path: Path) -> None:
    train, called = trains(tmp_path)
    worker = Worker(tmp_path, plan_of(3), train, wait=False)
    with claimed(tmp_path / "1"):
        worker.work()
    assert called == ["0", "2"] and not worker.is_done()


def test_a_pack_that_fails_does_so_once_for_all(tmp_path: Path) -> None:
    train, called = trains(tmp_path, pack0=PackFailed("its data have 2 inputs"))
    for _ in range(2):
        worker = Worker(tmp_path, plan_of(2), train)
        worker.work()
        assert worker.is_done() and worker.reasons() == {"0": "its data have 2 inputs"}
    assert called == ["0", "1"]


def test_what_may_be_the_fault_of_the_machine_ends_the_worker(tmp_path: Path, capfd: Any) -> None:
    train, called = trains(tmp_path, pack0=PackBroke("CUDA error: device lost"))
    with pytest.raises(SystemExit, match="1"):
        Worker(tmp_path, plan_of(3), train).work()
    assert "CUDA error: device lost; left to another worker" in capfd.readouterr().err
    assert called == ["0"] and read_attempts(tmp_path / "0").at == [""]
    train, called = trains(tmp_path)
    Worker(tmp_path, plan_of(3), train).work()
    assert called == ["1", "2", "0"], "it waits behind the others"
    assert read_attempts(tmp_path / "0") == Attempts()


def test_a_pack_that_ends_every_worker_is_given_up(tmp_path: Path) -> None:
    killed = PackBroke("CUDA error: out of memory")
    for _ in range(MOST):
        train, called = trains(tmp_path, pack0=killed)
        with pytest.raises(SystemExit):
            Worker(tmp_path, plan_of(1), train).work()
        assert called == ["0"]
    worker = Worker(tmp_path, plan_of(1), print)
    worker.work()
    assert worker.reasons() == {"0": "CUDA error: out of memory, 3 times"}
    write_attempts(tmp_path / "0", Attempts([""] * MOST, [""] * MOST))
    (tmp_path / "0" / "checkpoint").mkdir()
    (tmp_path / "0" / "checkpoint" / "step-000000000002.safetensors").touch()
    train, called = trains(tmp_path)
    Worker(tmp_path, plan_of(1), train).work()
    assert called == ["0"], "it has come further since"


def test_the_table_is_written_again_where_a_pack_has_ended_since(tmp_path: Path) -> None:
    train, _ = trains(tmp_path)
    worker = Worker(tmp_path, plan_of(1), train)
    assert not worker.is_reported()
    worker.work()
    (tmp_path / "result.json").write_text("{}")
    os.utime(tmp_path / "result.json", (2e9, 2e9))
    assert worker.is_reported()
    os.utime(tmp_path / "0" / "result.json", (2e9, 2e9))
    assert not worker.is_reported()


def test_a_pack_without_results_is_in_the_table_of_all(cli: Command, tmp_path: Path) -> None:
    """And nobody trains it again, but by resume=."""
    assert cli(*WORDS, "data.seed=1", "loop.batch_size=16,9999", "join=sweep").code == 1
    found = result_in(tmp_path / "sweep")
    assert found["outcomes"] == {"finished": 1} and len(found["failed"]) == 1
    again = cli("join=sweep")
    assert again.code == 1 and "has the results of all" in again.out and "Launching" not in again.out


def test_what_is_refused_leaves_nothing(cli: Command, tmp_path: Path) -> None:
    """As a search is, whose rounds follow one another."""
    space = "search.space={optimizer.lr: {low: 1e-4, high: 1e-2, log: true}}"
    searched = cli(*BRIEF, "seed=0", "search=random", space, "join=sweep")
    assert searched.code == 2 and "a search's rounds follow one another" in searched.err
    misspelt = cli(*WORDS, "loop.stepz=3", "join=sweep")
    assert misspelt.code == 2 and "loop.stepz" in misspelt.err
    assert not (tmp_path / "sweep").exists()
