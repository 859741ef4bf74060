"""A job that its scheduler starts again goes on in the folder that its first start made."""

import glob
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..data.foreign import UNREADABLE
from ..folder.atomic import replace_json
from ..folder.command import Command
from ..folder.plan import has_ended, is_finished, read_plan
from ..folder.slurm import job, restarts

FILE = ".job"


def note_job(folder: Path, command: Command) -> None:
    """Writes into a new `folder` which job has made it, for which command; nothing outside of a job.

    >>> note_job(Path("nowhere"), Command("train", [], [], "."))
    """
    if job():
        replace_json(folder / FILE, _about(command))


def folder_before(named: Path, pattern: str, by_time: Sequence[str], command: Command) -> Path | None:
    """The folder that the former start of this job made for the command, None where this is the first.

    `pattern` is what the config says where this start would be `named`, and its parts with one of the words
    `by_time` may have been others. Of several, of equal commands, it is the first that hasn't ended.

    >>> folder_before(Path("out/now"), "out/${now:%H-%M}", ["${now:"], Command("train", [], [], "."))
    """
    if not restarts():
        return None
    folders = [file.parent for file in _files(named, pattern, by_time) if _content(file) == _about(command)]
    number = job().split(":")[1]
    if not folders:
        _say(f"job {number} starts again, and its first start left nothing: the training begins anew")
        return None
    folder = next((folder for folder in folders if not _has_ended(folder)), folders[-1])
    _say(f"job {number} starts again, and goes on in {folder}")
    return folder


def _files(named: Path, pattern: str, by_time: Sequence[str]) -> list[Path]:
    """The notes in all folders that the pattern may have named, in the order of their names."""
    typed = Path(pattern).parts
    if len(typed) != len(named.parts):  # an interpolation has made several parts
        typed = (*named.parts[:-1], by_time[0])
    pairs = zip(typed, named.parts, strict=True)
    parts = ["*" if any(map(word.__contains__, by_time)) else glob.escape(part) for word, part in pairs]
    return sorted(map(Path, glob.glob(str(Path(*parts, FILE)))))


def _about(command: Command) -> dict[str, object]:
    return {"job": job(), **asdict(command)}


def _content(file: Path) -> object:
    try:
        return json.loads(file.read_text())
    except UNREADABLE:
        return None


def _has_ended(folder: Path) -> bool:
    plan = read_plan(folder)
    return has_ended(folder, plan) if plan else is_finished(folder)


def _say(sentence: str) -> None:
    print(f"packtrain: {sentence}", file=sys.stderr)
