"""A job's run folder, from the service into a folder here."""

import io
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ....kernels.common.errors import UserError
from .wire import Tries, Wire

if TYPE_CHECKING:
    import httpx

PREPARING = 600.0  # seconds that the service may take to make a folder, with its pictures


def fetch_folder(wire: Wire, job: int, folder: Path) -> Path:
    """The run folder of the job as `folder`, which is there as a whole or not at all.

    Raises UserError where something is there already, and where the service sends what is no run folder.

    >>> from typing import Any
    >>> wire: Any = None
    >>> fetch_folder(wire, 17, Path())
    Traceback (most recent call last):
    packtrain...UserError: . is there already: name another folder for job 17
    """
    if folder.exists() or folder.is_symlink():
        raise UserError(f"{folder} is there already: name another folder for job {job}")
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        draft.mkdir(parents=True)
        _receive(wire, job, draft)
        draft.rename(folder)
    except OSError as error:
        raise UserError(f"can't write {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _receive(wire: Wire, job: int, draft: Path) -> None:
    """Unpacks what the service sends, from the start again where the connection drops."""
    tries = Tries(wire)
    while True:
        with tries.trying(), wire.stream(f"/jobs/{job}/folder.tar", PREPARING) as answer:
            if tries.is_settled(answer):
                _empty(draft)
                _unpack(answer, draft)
                return


def _unpack(answer: "httpx.Response", draft: Path) -> None:
    """Files and folders in `draft`, nothing else. Raises UserError."""
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Body(answer.iter_bytes())), mode="r|") as tar:
            tar.extractall(draft, filter="data")
    except tarfile.TarError as error:
        raise UserError(f"{answer.url} is no run folder: {error}") from None
    if not any(draft.iterdir()):
        raise UserError(f"{answer.url} is no run folder: it is empty")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


class _Body(io.RawIOBase):
    """The body of an answer, to be read as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts, self.left = parts, b""

    def readable(self) -> bool:
        """It can be."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Some bytes more; none at the end."""
        self.left = self.left or next(self.parts, b"")
        count = min(len(buffer), len(self.left))
        buffer[:count] = self.left[:count]
        self.left = self.left[count:]
        return count
