"""What is too large for the database: files beside it, on the disk before the commit that names them."""

import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import quote

from ....kernels.common.errors import UserError
from ...folder.atomic import replace
from .errors import Full
from .store import is_full

INSIDE = 1 << 18  # bytes of a file that the database takes
FILES, CHECKPOINTS = "files", "checkpoints"
NAME = re.compile(r"\w[\w.\- ]*(/\w[\w.\- ]*)*")


class Files:
    """The files below a service's `folder`. A place is the path of one from there; each is written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (FILES, CHECKPOINTS):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def path(self, place: str) -> Path:
        """Where the file of a place is."""
        return self.folder / place

    def put(self, job: int, name: str, content: bytes) -> str:
        """Writes a file of a job -> its place. Raises Full where the disk has no room."""
        return self._write(f"{FILES}/{job}/{secrets.token_hex(4)}-{quote(name, safe='')}", content)

    def put_checkpoint(self, name: str, content: bytes) -> str:
        """Writes a checkpoint -> its place. Raises Full where the disk has no room."""
        return self._write(f"{CHECKPOINTS}/{name}", content)

    def remove(self, places: Iterable[str | None]) -> None:
        """Removes what is no longer named."""
        for place in places:
            if place:
                self.path(place).unlink(missing_ok=True)

    def keep_only(self, places: Collection[str]) -> None:
        """Removes whatever isn't at one of these places: what a process left that was killed."""
        known = {self.path(place) for place in places}
        for folder in (self.folder / FILES, self.folder / CHECKPOINTS):
            for file in folder.rglob("*"):
                if file.is_file() and file not in known:
                    file.unlink(missing_ok=True)
        for job in (self.folder / FILES).iterdir():
            if job.is_dir() and not any(job.iterdir()):
                shutil.rmtree(job, ignore_errors=True)

    def _write(self, place: str, content: bytes) -> str:
        file = self.path(place)
        try:
            if not file.parent.exists():
                file.parent.mkdir(exist_ok=True)
                _sync(file.parent.parent)
            replace(file, lambda draft: draft.write_bytes(content))
        except OSError as error:
            raise (Full() if is_full(error) else error) from None
        return place


def check_name(name: str) -> str:
    """The name of a job's file. Raises UserError for one that would lead elsewhere.

    >>> check_name("maps/loss.png")
    'maps/loss.png'
    """
    if not NAME.fullmatch(name) or len(name) > 200:
        raise UserError(f"a job's file has a name like runs.csv or maps/a.png; got {name!r}")
    return name


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
