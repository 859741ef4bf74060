"""Trainings whose disk is full, at every 4 KiB of a save: what they say, and what is left.

Where no disk can be mounted, a limit on the size of files stands for a full one. The checkpoint before must
load; the training goes on without what can't be written, and says at its end in one sentence what is missing.
"""

import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.trust.children import begin, ended, packtrain
from scripts.trust.leavings import checkpoints, left_in

BLOCK = 1 << 12
FIRST, LAST = 20, 60  # steps: of the checkpoint that is there, and of the training
COMMAND = (
    "experiment=primer", "schedule=constant", "data.size=200", "loop.batch_size=50", "monitor.every=1",
    "checkpoint.every=20", "monitor.progress=false", "monitor.pictures=false", "compute.device=cpu",
    "compute.backend=reference",
    "engine=step", 'pack.over={seed: "range(0,8)"}',
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a training ended whose files had no room, what it printed, and what it left."""

    code: int
    output: str
    before: bool  # the checkpoint that was there, or a later one, loads
    left: dict[str, str]

    @property
    def is_plain(self) -> bool:
        """It ended well, or the last line says what can't be written; there is no traceback."""
        last = self.output.rstrip().rpartition("\n")[2]
        explained = self.code in (1, 2) and last.startswith("packtrain: can't write")
        return "Traceback" not in self.output and (self.code == 0 or explained)


def figures() -> dict[str, object]:
    """Every limit up to the size of a checkpoint, and small disks where they can be mounted."""
    with TemporaryDirectory() as base:
        begun, whole = prepared(Path(base))
        outcomes = {"files limited at every 4 KiB": [with_limit(begun, limit) for limit in limits(whole)]}
        if mounts():
            outcomes["disks full at every 4 KiB"] = [on_a_disk(begun, size) for size in sizes(begun, whole)]
            outcomes["read-only disk"] = [on_a_disk(begun, 2 * sizes(begun, whole)[-1], "ro")]
        left = left_in(whole)
    return {what: value for how in outcomes for what, value in _figures(how, outcomes[how], left).items()}


def _figures(how: str, outcomes: list[Outcome], left: dict[str, str]) -> dict[str, object]:
    return {
        how: len(outcomes),
        f"{how}: checkpoint before unloadable": sum(not outcome.before for outcome in outcomes),
        f"{how}: trainings that ended with 0": sum(outcome.code == 0 for outcome in outcomes),
        f"{how}: trainings that ended with one sentence": sum(outcome.code != 0 for outcome in outcomes),
        f"{how}: ended otherwise": sum(not outcome.is_plain for outcome in outcomes),
        f"{how}: other parameters": sum(o.code == 0 and _differ(o.left, left) for o in outcomes),
        **{f"{how}: it said": outcome.output[-1500:] for outcome in outcomes if not outcome.is_plain},
    }


def _differ(here: dict[str, str], there: dict[str, str]) -> bool:
    return here.get(".: parameters") != there[".: parameters"]


def prepared(base: Path) -> tuple[Path, Path]:
    """The folders, in `base`, of a training that has its first checkpoint and of one that has ended."""
    for name, steps in ("begun", FIRST), ("whole", LAST):
        work = packtrain(base, *COMMAND, f"loop.steps={steps}", f"hydra.run.dir={base / name}")
        code = ended(begin(work, base / "output.txt"))
        assert code == 0, (base / "output.txt").read_text()
    return base / "begun", base / "whole"


def limits(whole: Path) -> range:
    """Every 4 KiB up to what the largest checkpoint takes."""
    largest = max(file.stat().st_size for file in (whole / "checkpoint").iterdir())
    return range(BLOCK, largest + 2 * BLOCK, BLOCK)


def limit_files(limit: int) -> Callable[[], None]:
    """A function that keeps every file of the process that calls it below so many bytes."""

    def limits() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    return limits


def resumed(folder: Path, output: Path, prepare: Callable[[], None]) -> Outcome:
    """Resumes the training in `folder`, in a process that first calls `prepare`."""
    resume = packtrain(output.parent, f"resume={folder}", f"loop.steps={LAST}")

    def limited() -> None:
        prepare()
        resume()

    code = ended(begin(limited, output))
    loads = any(checkpoint.step >= FIRST for checkpoint in checkpoints(folder))
    return Outcome(code, output.read_text(), loads, left_in(folder) if code == 0 else {})


def with_limit(begun: Path, limit: int) -> Outcome:
    """Resumes a copy of `begun`, whose files may not grow beyond `limit` bytes."""
    with TemporaryDirectory() as base:
        folder = shutil.copytree(begun, Path(base) / "cut")
        return resumed(folder, Path(base) / "output.txt", limit_files(limit))


def on_a_disk(begun: Path, size: int, *options: str) -> Outcome:
    """Resumes a copy of `begun` on a disk of `size` bytes, remounted with these options of mount."""
    with TemporaryDirectory() as base, _mounted(Path(base) / "disk", size) as disk:
        folder = shutil.copytree(begun, disk / "cut")
        for option in options:
            subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)
        return resumed(folder, Path(base) / "output.txt", lambda: None)


@contextmanager
def _mounted(disk: Path, size: int) -> Iterator[Path]:
    disk.mkdir()
    mount = "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def mounts() -> bool:
    """Whether this user may mount a disk."""
    try:
        with TemporaryDirectory() as base, _mounted(Path(base) / "disk", BLOCK):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def sizes(begun: Path, whole: Path) -> range:
    """Disks from one that has no room left to one that has enough, in steps of 4 KiB."""
    least, most = (sum(map(_blocks, folder.rglob("*"))) for folder in (begun, whole))
    return range(least, most + 16 * BLOCK, BLOCK)


def _blocks(file: Path) -> int:
    """What a file or a folder takes of a disk."""
    return BLOCK * max(1, -(-file.stat().st_size // BLOCK)) if file.is_file() else 0
