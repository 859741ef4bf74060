"""A search whose packs are jobs of a real Slurm: one of them is killed, and the command, too."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster.jobs import ON_SLURM, PACKTRAIN, TRAINING, process, saved
from tests.cluster.slurm import SECONDS, Slurm, wait

pytestmark = pytest.mark.cluster

SEARCH = (
    *TRAINING, "loop.steps=1000", "search=optuna", "search.rounds=2", "search.runs_per_round=3",
    "search.space={optimizer.lr: {low: 1e-4, high: 0.1, log: true}, loop.batch_size: {choices: [32, 64]}}",
)  # fmt: skip


def training(root: Path, round_: int) -> Path:
    """A pack of that round which has saved something, and has no results yet."""

    def packs() -> list[Path]:
        folders = [folder for folder in root.glob(f"{round_}-*") if saved(folder)]
        return [folder for folder in folders if not (folder / "result.json").exists()]

    wait(packs, f"no pack of round {round_} trains")
    return packs()[0]


def begun(slurm: Slurm, log: Path, *words: str) -> "subprocess.Popen[bytes]":
    """A command of packtrain's, which writes into `log`."""
    with log.open("w") as output:
        command = [*PACKTRAIN.split(), *words, *ON_SLURM]
        return subprocess.Popen(command, env=slurm.environment, cwd=log.parent, stdout=output, stderr=output)


def test_what_is_lost_changes_nothing_of_a_search(slurm: Slurm, tmp_path: Path) -> None:
    search, before, after = tmp_path / "search", tmp_path / "before.log", tmp_path / "after.log"
    driver = begun(slurm, before, *SEARCH, "hydra.run.dir=search")
    try:
        os.kill(process(training(search, 0)), signal.SIGKILL)
        left = process(training(search, 1))
    finally:
        driver.kill()
        driver.wait()
    os.kill(left, signal.SIGSTOP)  # so that it trains for as long as the test needs
    said = before.read_text()
    assert "was cut short (FAILED)" in said and "another job goes on with it" in said, said
    driver = begun(slurm, after, "resume=search")
    try:
        wait(lambda: "waits for the jobs" in after.read_text(), "it doesn't wait for jobs")
        os.kill(left, signal.SIGCONT)
        assert driver.wait(SECONDS) == 0, after.read_text()
    finally:
        driver.kill()
    slurm.run(*PACKTRAIN.split(), *SEARCH, "hydra.run.dir=whole", folder=tmp_path)
    for name in ("runs.csv", "curves.parquet"):
        assert (search / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    jobs, packs = (len(list(search.glob(names))) for names in (".submitit/*/*_submitted.pkl", "*-*"))
    assert jobs == packs + 1, "one was lost, and none trained twice"
