"""Sweeps and trainings as jobs of a real Slurm: cancelled, killed, requeued, on a node that fails."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
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


@pytest.mark.parametrize("by", ["requeue", "signal"])
def test_a_requeued_batch_job_goes_on_in_its_folder(
    by: str, slurm: Slurm, tmp_path: Path, undisturbed: Path
) -> None:
    """The signal is the one that comes before the time is up, by --signal=B:USR1@120."""
    training = f"{PACKTRAIN} {' '.join(BRIEF[:-1])} 'pack.over={{seed: \"1,2\"}}' data.seed=1"
    script = f"trap 'kill -USR1 $!; wait $!; scontrol requeue $SLURM_JOB_ID' USR1\n{training} &\nwait $!"
    job = slurm.submit(script, tmp_path, "--requeue", "--open-mode=append", "--output=log")
    wait(lambda: saved(next(tmp_path.glob("outputs/primer/*"), tmp_path)), "it has saved nothing")
    slurm.run(*(["scancel", "--batch", "--signal=USR1"] if by == "signal" else ["scontrol", "requeue"]), job)
    slurm.start_at_once(job)
    wait(lambda: slurm.state(job) == "COMPLETED", f"{slurm.run('squeue', '-t', 'all')}")
    (folder,) = tmp_path.glob("outputs/primer/*")
    log = (tmp_path / "log").read_text()
    assert f"packtrain: job {job} starts again, and goes on in {folder.relative_to(tmp_path)}" in log
    assert "going on from step" in log
    assert (result_in(folder)["steps"], result_in(folder)["interrupted"]) == (STEPS, False)
    for name in ("runs.csv", "curves.parquet", "model.safetensors"):
        assert (folder / name).read_bytes() == (undisturbed / "1" / name).read_bytes()


def test_a_job_that_isn_t_requeued_has_a_new_folder(slurm: Slurm, tmp_path: Path) -> None:
    line = f"{PACKTRAIN} experiment=debug monitor=quiet compute.device=cpu"
    job = slurm.submit(f"{line} &\n{line}\nwait", tmp_path)
    wait(lambda: slurm.state(job) == "COMPLETED", f"{slurm.run('squeue', '-t', 'all')}")
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
    ended = "COMPLETED", "COMPLETED", "FAILED"
    wait(lambda: tuple(sorted(slurm.state(tasks).split())) == ended, f"{slurm.run('squeue', '-t', 'all')}")
    for name in ("runs.csv", "curves.parquet", "model.safetensors"):
        files = [file.relative_to(undisturbed) for file in undisturbed.rglob(name)]
        for file in files:
            assert (tmp_path / "sweep" / file).read_bytes() == (undisturbed / file).read_bytes()
