"""What an earlier command left running is waited for, and never trained twice."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from packtrain.trainer.folder.plan import PlannedPack
from packtrain.trainer.sweep import others
from packtrain.trainer.sweep.others import untrained, wait_for_jobs
from tests.helpers import Command
from tests.trainer.sweep.test_sweep import BRIEF

PACKS = [PlannedPack(name, [], {}, first=0, runs=1) for name in ("0", "1")]
SQUEUE = """#!/bin/sh
[ "$1 $2 $3" = "--me --noheader --array" ] || exit 1
cat {listed}
"""


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[float]]:
    """Has something happen in each pause -> the pauses."""

    def happens(what: Callable[[], object]) -> list[float]:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            what()

        monkeypatch.setattr(others, "time", SimpleNamespace(sleep=sleep))
        return pauses

    return happens


def test_a_pack_that_another_process_trains_is_waited_for_and_not_trained_again(
    meanwhile: Callable[[Callable[[], object]], list[float]], cli: Command, tmp_path: Path
) -> None:
    assert cli("-m", *BRIEF, "optimizer=adam,adamw", "seed=1", "hydra.sweep.dir=sweep").code == 0
    result, aside = tmp_path / "sweep" / "0" / "result.json", tmp_path / "result.json"
    table, trained = (tmp_path / "sweep" / "runs.csv").read_bytes(), result.stat().st_mtime_ns
    result.rename(aside)
    lock = FileLock(result.with_name(".lock"))
    lock.acquire()

    def end() -> None:
        aside.rename(result)
        lock.release()

    pauses = meanwhile(end)
    ended = cli("resume=sweep")
    assert ended.code == 0 and len(pauses) == 1
    sentence = f"waits for {result.parent}, which another process still trains: a signal ends it, and what"
    assert ended.err.count(sentence) == 1, ended.err
    assert result.stat().st_mtime_ns == trained
    assert (tmp_path / "sweep" / "runs.csv").read_bytes() == table


def test_a_process_that_ends_without_results_leaves_its_pack(
    meanwhile: Callable[[Callable[[], object]], list[float]], tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "result.json").write_text('{"interrupted": false}')
    (tmp_path / "0").mkdir()
    lock = FileLock(tmp_path / "0" / ".lock")
    lock.acquire()
    pauses = meanwhile(lock.release)
    assert untrained(tmp_path, PACKS) == PACKS[:1] and len(pauses) == 1


def test_jobs_of_slurm_are_waited_for(
    meanwhile: Callable[[Callable[[], object]], list[float]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    sweep, program, listed = tmp_path / "sweep", tmp_path / "squeue", tmp_path / "listed"
    (sweep / ".submitit").mkdir(parents=True)
    program.write_text(SQUEUE.format(listed=listed))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    other = f"8 {tmp_path}/another/.submitit/submission_file_b.sh\n"
    ours = [f"7_{task} {sweep}/.submitit/submission_file_a.sh\n" for task in range(2)]
    listed.write_text("".join([*ours, other, "9 (null)\n"]))
    pauses = meanwhile(lambda: listed.write_text(other if len(pauses) > 1 else ours[0]))
    wait_for_jobs(sweep, PACKS)
    assert len(pauses) == 2
    said = capfd.readouterr().err
    assert said.startswith(
        "packtrain: waits for the jobs 7_0 and 7_1, which an earlier command gave to Slurm"
    )
    assert said.count("\n") == 1


@pytest.mark.parametrize("script", ["exit 1", None])
def test_where_slurm_says_nothing_there_are_no_jobs(
    script: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".submitit").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    if script:
        (tmp_path / "squeue").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "squeue").chmod(0o700)
    wait_for_jobs(tmp_path, PACKS)
