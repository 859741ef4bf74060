"""Trainings whose disk is full, at every 4 KiB of a save: what they say, and what is left.

A limit on the size of files stands for a full disk where none can be mounted. The checkpoint before must
load, the training goes on without what can't be written, and in the end says in one sentence what is missing.
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

from scripts.bench.children import begin, ended, packtrain
from scripts.bench.leavings import checkpoints, left_in

BLOCK = 1 << 12
FIRST, LAST = 20, 60  # steps: of the checkpoint that is there, and of the training
ASKED = (
    "experiment=primer", "schedule=constant", "data.size=200", "loop.batch_size=50", "monitor.every=1",
    "checkpoint.every=20", "monitor.progress=false", "compute.device=cpu", "compute.backend=reference",
    "engine=step", 'pack.over={seed: "range(0,8)"}',
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a training ended whose files had no room, what it said, and what it left."""

    code: int
    said: str
    before: bool  # the checkpoint that was there, or a later one, loads
    left: dict[str, str]

    @property
    def is_plain(self) -> bool:
        """It ended well, or the last line says what can't be written; there is no traceback."""
        last = self.said.rstrip().rpartition("\n")[2]
        told = self.code in (1, 2) and last.startswith("packtrain: can't write")
        return "Traceback" not in self.said and (self.code == 0 or told)


def figures() -> dict[str, object]:
    """The figures of every limit up to the size of a checkpoint, and of small disks."""
    with TemporaryDirectory() as home:
        begun, whole = prepared(Path(home))
        found = {"files limited at every 4 KiB": [with_limit(begun, limit) for limit in limits(whole)]}
        if mounts():
            found["disks full at every 4 KiB"] = [on_a_disk(begun, size) for size in sizes(begun, whole)]
            found["read-only disk"] = [on_a_disk(begun, 2 * sizes(begun, whole)[-1], "ro")]
        left = left_in(whole)
    return {what: value for how in found for what, value in _told(how, found[how], left).items()}


def _told(how: str, outcomes: list[Outcome], left: dict[str, str]) -> dict[str, object]:
    return {
        how: len(outcomes),
        f"{how}: checkpoint before unloadable": sum(not each.before for each in outcomes),
        f"{how}: trainings that ended with 0": sum(each.code == 0 for each in outcomes),
        f"{how}: trainings that ended with one sentence": sum(each.code != 0 for each in outcomes),
        f"{how}: ended otherwise": sum(not each.is_plain for each in outcomes),
        f"{how}: other parameters": sum(each.code == 0 and _differ(each.left, left) for each in outcomes),
        **{f"{how}: it said": each.said[-1500:] for each in outcomes if not each.is_plain},
    }


def _differ(here: dict[str, str], there: dict[str, str]) -> bool:
    return here.get(".: parameters") != there[".: parameters"]


def prepared(home: Path) -> tuple[Path, Path]:
    """The folder of a training that has its first checkpoint, and of one that has ended."""
    for name, steps in ("begun", FIRST), ("whole", LAST):
        work = packtrain(home, *ASKED, f"loop.steps={steps}", f"hydra.run.dir={home / name}")
        code = ended(begin(work, home / "told.txt"))
        assert code == 0, (home / "told.txt").read_text()
    return home / "begun", home / "whole"


def limits(whole: Path) -> range:
    """Every 4 KiB up to what the largest checkpoint takes."""
    largest = max(file.stat().st_size for file in (whole / "checkpoint").iterdir())
    return range(BLOCK, largest + 2 * BLOCK, BLOCK)


def limits_files(limit: int) -> Callable[[], None]:
    """Lets no file of this process grow beyond so many bytes."""

    def limits() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    return limits


def tried(folder: Path, told: Path, prepares: Callable[[], None]) -> Outcome:
    """The training in `folder` goes on, in a process that `prepares` itself for trouble."""
    life = packtrain(told.parent, f"resume={folder}", f"loop.steps={LAST}")

    def limited() -> None:
        prepares()
        life()

    code = ended(begin(limited, told))
    loads = any(found.step >= FIRST for found in checkpoints(folder))
    return Outcome(code, told.read_text(), loads, left_in(folder) if code == 0 else {})


def with_limit(begun: Path, limit: int) -> Outcome:
    """A copy of `begun` goes on whose files have a limit."""
    with TemporaryDirectory() as home:
        folder = shutil.copytree(begun, Path(home) / "cut")
        return tried(folder, Path(home) / "told.txt", limits_files(limit))


def on_a_disk(begun: Path, size: int, *options: str) -> Outcome:
    """A copy of `begun` goes on, on a disk of so many bytes."""
    with TemporaryDirectory() as home, _mounted(Path(home) / "disk", size) as disk:
        folder = shutil.copytree(begun, disk / "cut")
        for option in options:
            subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)
        return tried(folder, Path(home) / "told.txt", lambda: None)


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
        with TemporaryDirectory() as home, _mounted(Path(home) / "disk", BLOCK):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def sizes(begun: Path, whole: Path) -> range:
    """Disks from one that has no room left to one that has enough, in steps of 4 KiB."""
    least, most = (sum(_blocks(file) for file in each.rglob("*")) for each in (begun, whole))
    return range(least, most + 16 * BLOCK, BLOCK)


def _blocks(file: Path) -> int:
    """What a file or a folder takes of a disk."""
    return BLOCK * max(1, -(-file.stat().st_size // BLOCK)) if file.is_file() else 0
