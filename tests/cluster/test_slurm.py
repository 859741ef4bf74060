"""Sweeps and trainings as jobs of a real Slurm: cancelled, killed, requeued, on a node that fails."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.jobs import BRIEF, ON_SLURM, PACKS, PACKTRAIN, STEPS, process, saved
from tests.cluster.slurm import SECONDS, Slurm, wait
from tests.helpers import result_in

pytestmark = pytest.mark.cluster

CANCELLED, KILLED, MOVED, PREEMPTED = 0, 1, 2, 4  # packs, by what happens to them


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def disturbed(slurm: Slurm, base: Path) -> Iterator["subprocess.CompletedProcess[str]"]:
    """A sweep of five packs, two of which are lost and two requeued -> how its command ended."""
    command = [*PACKTRAIN.split(), "-m", *BRIEF, PACKS, "hydra.sweep.dir=disturbed", *ON_SLURM]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=slurm.environment, cwd=base, **pipes) as driver:
        try:
            _disturb(slurm, base / "disturbed")
            out, err = driver.communicate(timeout=SECONDS)
        finally:
            driver.kill()
    yield subprocess.CompletedProcess(command, driver.returncode, out, err)


def _disturb(slurm: Slurm, root: Path) -> None:
    """Cancels one job, kills one, preempts one as submitit expects it, and takes the node of one away."""
    wait(lambda: slurm.run("squeue", "-h", "-o", "%F"), "no job is submitted")
    job = slurm.run("squeue", "-h", "-o", "%F").split()[0]

    waiting: dict[int, Callable[[], object]] = {
        CANCELLED: lambda: slurm.run("scancel", f"{job}_{CANCELLED}"),
        KILLED: lambda: os.kill(process(root / f"{KILLED}"), signal.SIGKILL),
        MOVED: lambda: slurm.fail(slurm.run("squeue", "-h", "-j", f"{job}_{MOVED}", "-o", "%N").strip()),
        PREEMPTED: lambda: slurm.run("scancel", "--signal=USR2", f"{job}_{PREEMPTED}"),
    }
    while waiting:
        wait(lambda: any(saved(root / f"{pack}") for pack in waiting), slurm.run("squeue"))
        waiting.pop(next(pack for pack in waiting if saved(root / f"{pack}")))()
    for pack in (MOVED, PREEMPTED):
        slurm.start_at_once(f"{job}_{pack}")


def test_lost_jobs_alone_have_failed(disturbed: "subprocess.CompletedProcess[str]", base: Path) -> None:
    assert disturbed.returncode == 1, disturbed.stdout + disturbed.stderr
    result = result_in(base / "disturbed")
    why = {int(pack["pack"]): pack["why"] for pack in result["failed"]}
    assert set(why) == {CANCELLED, KILLED}
    assert "was cut short (CANCELLED by 0); see" in why[CANCELLED]
    assert "was cut short (FAILED); see" in why[KILLED]
    assert result["outcomes"] == {"finished": 6, "stopped early": 2}


@pytest.mark.parametrize("pack", [MOVED, PREEMPTED])
@pytest.mark.usefixtures("disturbed")
def test_requeued_jobs_go_on(pack: int, base: Path) -> None:
    (log,) = base.glob(f"disturbed/.submitit/*_{pack}/*_log.out")
    assert "going on from step" in log.read_text()


@pytest.mark.usefixtures("disturbed")
def test_what_is_resumed_ends_with_the_table_of_an_undisturbed_sweep(
    slurm: Slurm, base: Path, undisturbed: Path
) -> None:
    slurm.run(*PACKTRAIN.split(), "resume=disturbed", *ON_SLURM, folder=base)
    for name in ("runs.csv", "curves.parquet", "0/model.safetensors", "1/model.safetensors"):
        assert (base / "disturbed" / name).read_bytes() == (undisturbed / name).read_bytes()


AGAIN = {"requeue": ["scontrol", "requeue"], "signal": ["scancel", "--batch", "--signal=USR1"]}


@pytest.fixture(scope="module")
def requeued(slurm: Slurm, base: Path) -> Mapping[str, str]:
    """Batch jobs that start twice, each in a folder with the name of what interrupts it -> their numbers.

    The signal is the one that comes before the time is up, by --signal=B:USR1@120.
    """
    training = f"{PACKTRAIN} {' '.join(BRIEF[:-1])} 'pack.over={{seed: \"1,2\"}}' data.seed=1"
    script = f"trap 'kill -USR1 $!; wait $!; scontrol requeue $SLURM_JOB_ID' USR1\n{training} &\nwait $!"
    jobs: dict[str, str] = {}
    for by in AGAIN:
        (base / by).mkdir()
        jobs[by] = slurm.submit(script, base / by, "--requeue", "--open-mode=append", "--output=log")
    waiting = dict(jobs)
    while waiting:
        wait(lambda: any(map(_has_saved, [base / by for by in waiting])), "no batch job saves anything")
        by = next(by for by in waiting if _has_saved(base / by))
        slurm.run(*AGAIN[by], waiting.pop(by))
    for job in jobs.values():
        slurm.start_at_once(job)
    return jobs


def _has_saved(folder: Path) -> bool:
    return any(map(saved, folder.glob("outputs/primer/*")))


@pytest.mark.parametrize("by", AGAIN)
def test_a_requeued_batch_job_goes_on_in_its_folder(
    by: str, slurm: Slurm, base: Path, requeued: Mapping[str, str], undisturbed: Path
) -> None:
    job, log = requeued[by], base / by / "log"
    assert slurm.ended(job) == ["COMPLETED"], log.read_text()
    (folder,) = (base / by).glob("outputs/primer/*")
    again = f"packtrain: job {job} starts again, and goes on in {folder.relative_to(base / by)}"
    assert again in log.read_text() and "going on from step" in log.read_text()
    assert (result_in(folder)["steps"], result_in(folder)["interrupted"]) == (STEPS, False)
    for name in ("runs.csv", "curves.parquet", "model.safetensors"):
        assert (folder / name).read_bytes() == (undisturbed / "1" / name).read_bytes()


def test_a_job_that_isn_t_requeued_has_a_new_folder(slurm: Slurm, tmp_path: Path) -> None:
    line = f"{PACKTRAIN} experiment=debug monitor=quiet compute.device=cpu"
    job = slurm.submit(f"{line} &\n{line}\nwait", tmp_path)
    assert slurm.ended(job) == ["COMPLETED"]
    assert len(list(tmp_path.glob("outputs/debug/*"))) == 2


def test_tasks_of_an_array_share_a_sweep_and_one_is_killed(
    slurm: Slurm, tmp_path: Path, undisturbed: Path
) -> None:
    worker = f"{PACKTRAIN} -m {' '.join(BRIEF)} {PACKS} join=sweep"
    tasks = slurm.submit(
        worker.replace("(", "\\(").replace(")", "\\)"), tmp_path, "--array=0-2", "--output=log-%a"
    )
    wait(lambda: len(list(tmp_path.glob("sweep/*/checkpoint/step-*.safetensors"))) > 1, "they save nothing")
    slurm.run("scancel", "--signal=KILL", f"{tasks}_1")
    assert slurm.ended(tasks) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    for name in ("runs.csv", "curves.parquet", "model.safetensors"):
        files = [file.relative_to(undisturbed) for file in undisturbed.rglob(name)]
        for file in files:
            assert (tmp_path / "sweep" / file).read_bytes() == (undisturbed / file).read_bytes()
