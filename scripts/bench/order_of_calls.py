"""What the system is asked for when a training saves, as strace sees it: is it the one safe order?"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.bench import record

CALLS = "openat,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2"
TRACED = "strace", "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none"
ASKED = (
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
    """The figures of one training, with its checkpoints, its command and its results."""
    if shutil.which("strace") is None:
        return {"skipped": "strace is not installed"}
    with TemporaryDirectory() as home:
        saves = saves_in(calls_in(traced(Path(home)).splitlines()))
    checkpoints = [name for name in saves if name.startswith("step-")]
    return {
        "saves": len(saves),
        "of them checkpoints": len(checkpoints),
        f"not in the order {', '.join(SAFE)}": sum(order != SAFE for order in saves.values()),
        **{f"{name}": ", ".join(order) for name, order in saves.items() if order != SAFE},
    }


def traced(home: Path) -> str:
    """What strace tells of a training in `home`."""
    command = *TRACED, "-o", "calls.txt", sys.executable, "-m", "packtrain", *ASKED
    paths = os.pathsep.join(filter(None, [str(record.ROOT / ".src"), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
    return (home / "calls.txt").read_text(errors="replace")


def calls_in(lines: Sequence[str]) -> Iterator[Call]:
    """The calls that can change a file."""
    for line in lines:
        if found := OPENED.search(line):
            if "O_CREAT" in found["flags"]:
                yield Call("create", Path(found["path"]))
        elif found := RENAMED.search(line):
            yield Call("rename", Path(found["path"]), Path(found["new"]))
        elif found := SYNCED.search(line):
            yield Call("fsync", Path(found["path"]))
        elif found := WRITTEN.search(line):
            yield Call("write", Path(found["path"]))


def saves_in(calls: Iterator[Call]) -> dict[str, list[str]]:
    """The name of each file that was given its name by a rename -> what was done for it, in order."""
    found: dict[str, list[str]] = {}
    pending: dict[Path, list[str]] = {}  # of drafts
    waiting: dict[Path, str] = {}  # folder -> a name in it that is not on the disk yet
    for call in calls:
        if call.what == "rename" and call.new:
            found[call.new.name] = [*pending.pop(call.path, []), call.what]
            waiting[call.new.parent] = call.new.name
        elif call.what == "fsync" and call.path in waiting:
            found[waiting.pop(call.path)].append("fsync of the folder")
        elif pending.setdefault(call.path, [])[-1:] != [call.what]:
            pending[call.path].append(call.what)
    return found
