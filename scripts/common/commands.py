"""A command as a person types it, in a process of its own, and what it takes."""

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.common import record


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of processor time, of all threads."""

    seconds: float
    processor: float


def run(folder: str | Path, *words: str, **environment: str) -> Spent:
    """Runs `python WORDS` in `folder`. Raises RuntimeError, with what it said, where it fails."""
    paths = os.pathsep.join(filter(None, [str(record.ROOT / ".src"), os.environ.get("PYTHONPATH")]))
    before, began = _of_children(), time.perf_counter()
    command, variables = [sys.executable, *words], {**os.environ, "PYTHONPATH": paths, **environment}
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr}")
    return Spent(time.perf_counter() - began, _of_children() - before)


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
