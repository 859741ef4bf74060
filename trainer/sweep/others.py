"""Packs that other processes still train, as the jobs of a command that was killed: they are waited for."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..folder.lock import is_locked
from ..folder.plan import PlannedPack, unfinished

PAUSE = 2.0  # seconds between two looks
SCRIPTS = ".submitit"  # what hydra.launcher.submitit_folder has for all jobs of a sweep
QUEUE = (
    *("squeue", "--me", "--noheader", "--array", "--format=%i %o"),  # each job of Slurm's, and its script
    "--states=PENDING,CONFIGURING,RUNNING,SUSPENDED",
)


def wait_for_jobs(root: Path, packs: Iterable[PlannedPack]) -> None:
    """Returns when Slurm has no job of an earlier command for the sweep in `root`, or all packs are finished.

    >>> wait_for_jobs(Path("sweep"), [])
    """
    packs = list(packs)
    what = "the jobs {}, which an earlier command gave to Slurm: scancel ends them"
    _wait(what, lambda: _jobs(root) if unfinished(root, packs) else [])


def untrained(root: Path, packs: Iterable[PlannedPack]) -> list[PlannedPack]:
    """Those of the packs in `root` that are to be trained, when no other process trains any of them.

    >>> [pack.folder for pack in untrained(Path("sweep"), [PlannedPack("0", [], {}, first=0, runs=2)])]
    ['0']
    """
    packs = list(packs)
    what = "{}, which another process still trains: a signal ends it"
    _wait(what, lambda: [str(folder) for folder in _folders(root, packs) if is_locked(folder)])
    return unfinished(root, packs)


def _wait(what: str, left: Callable[[], list[str]]) -> None:
    """Waits until nothing is left, and says once for what."""
    said = False
    while names := left():
        if not said:
            sentence = f"packtrain: waits for {what}, and what was saved is kept"
            print(sentence.format(" and ".join(names)), file=sys.stderr, flush=True)
            said = True
        time.sleep(PAUSE)


def _folders(root: Path, packs: Iterable[PlannedPack]) -> list[Path]:
    return [root / pack.folder for pack in unfinished(root, packs)]


def _jobs(root: Path) -> list[str]:
    """The jobs of Slurm's for the sweep that are queued, or run."""
    scripts = root / SCRIPTS
    if not scripts.is_dir():
        return []
    try:
        listed = subprocess.run(QUEUE, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):  # there is no Slurm here, or it doesn't answer
        return []
    pairs = (line.partition(" ") for line in listed.splitlines())
    return [job for job, _, script in pairs if Path(script).parent.resolve() == scripts.resolve()]
