"""The system calls of a training that saves, as strace sees them: are they in the one safe order?"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.common import record

CALLS = "openat,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2"
TRACED = "strace", "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none"
ARGUMENTS = (
    "experiment=debug", "checkpoint.every=5", "compute.device=cpu", "engine=step",
    "compute.backend=reference", "hydra.run.dir=out",
)  # fmt: skip
OPENED = re.compile(r'openat\(.*?"(?P<path>[^"]+)", (?P<flags>[A-Z_|]+)')
WRITTEN = re.compile(r"p?write(?:v|64)?\(\d+<(?P<path>[^>]+)>")
SYNCED = re.compile(r"f(?:data)?sync\(\d+<(?P<path>[^>]+)>")
RENAMED = re.compile(r'rename(?:at2?)?\([^"]*"(?P<path>[^"]+)", [^"]*"(?P<new>[^"]+)"')
SAFE = ["create", "write", "fsync", "rename", "fsync of the folder"]


@dataclass(frozen=True)
class Call:
    """One call: what it does, to which file; `new` is the name that a file gets."""

    what: str
    path: Path
    new: Path | None = None


def figures() -> dict[str, object]:
    """The saves of one training: its checkpoints, its command and its results."""
    if shutil.which("strace") is None:
        return {"skipped": "strace is not installed"}
    with TemporaryDirectory() as folder:
        saves = saves_in(calls_in(traced(Path(folder)).splitlines()))
    checkpoints = [name for name in saves if name.startswith("step-")]
    return {
        "saves": len(saves),
        "of them checkpoints": len(checkpoints),
        f"not in the order {', '.join(SAFE)}": sum(order != SAFE for order in saves.values()),
        **{f"{name}": ", ".join(order) for name, order in saves.items() if order != SAFE},
    }


def traced(folder: Path) -> str:
    """Runs a training in `folder` under strace -> what strace prints."""
    command = *TRACED, "-o", "calls.txt", sys.executable, "-m", "packtrain", *ARGUMENTS
    paths = os.pathsep.join(filter(None, [str(record.ROOT / ".src"), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return (folder / "calls.txt").read_text(errors="replace")


def calls_in(lines: Sequence[str]) -> Iterator[Call]:
    """The calls that can change a file."""
    for line in lines:
        if match := OPENED.search(line):
            if "O_CREAT" in match["flags"]:
                yield Call("create", Path(match["path"]))
        elif match := RENAMED.search(line):
            yield Call("rename", Path(match["path"]), Path(match["new"]))
        elif match := SYNCED.search(line):
            yield Call("fsync", Path(match["path"]))
        elif match := WRITTEN.search(line):
            yield Call("write", Path(match["path"]))


def saves_in(calls: Iterator[Call]) -> dict[str, list[str]]:
    """{name: what was done for it, in order} for each file that got its name by a rename."""
    saves: dict[str, list[str]] = {}
    pending: dict[Path, list[str]] = {}  # of drafts
    waiting: dict[Path, str] = {}  # folder -> a name in it that is not on the disk yet
    for call in calls:
        if call.what == "rename" and call.new and call.path in pending:  # else it had its content before
            saves[call.new.name] = [*pending.pop(call.path), call.what]
            waiting[call.new.parent] = call.new.name
        elif call.what == "fsync" and call.path in waiting:
            saves[waiting.pop(call.path)].append("fsync of the folder")
        elif pending.setdefault(call.path, [])[-1:] != [call.what]:
            pending[call.path].append(call.what)
    return saves
