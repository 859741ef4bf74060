"""Where files are: on a disk, or behind a URL where fsspec knows it; and whether they are as they were."""

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow
from pyarrow import fs

from ....kernels.common.errors import UserError
from ..discretion import looked_for, may_read, reason
from ..foreign import UNREADABLE

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
END = 1 << 16  # bytes at each end of a file, which tell it from others of its size and time


@dataclass(frozen=True)
class Place:
    """One file at `path` of the file system `files`, as it was when it was `seen`: its size and its time."""

    files: fs.FileSystem
    path: str
    seen: tuple[int, int]

    @property
    def ending(self) -> str:
        """.parquet of data.parquet."""
        return os.path.splitext(self.path)[1].lower()

    def open(self) -> pyarrow.NativeFile:
        """The file, any part of which can be read."""
        return self.files.open_input_file(self.path)

    def check(self) -> None:
        """Raises UserError where the file is gone, or isn't the one that was seen."""
        try:
            now = _seen(self.files, self.path)
        except OSError as error:
            raise UserError(
                f"{self.path} can't be read any more ({reason(error)}): put it back, and go on"
            ) from None
        if now != self.seen:
            raise UserError(
                f"{self.path} has changed since it was opened, and a training goes on with the samples "
                "that it began with: put it back as it was, or begin anew"
            )

    def identity(self) -> str:
        """A digest of the size, the time, and both ends of the file, where its header or footer is."""
        with self.open() as file:
            size = file.size()
            ends = file.read_at(min(END, size), 0) + file.read_at(min(END, size), max(0, size - END))
        return hashlib.blake2b(repr(self.seen).encode() + ends, digest_size=16).hexdigest()


def places(path: str | None) -> tuple[Place, ...]:
    """The files at `path`, or all that are like it, in the order of their names. Raises UserError.

    >>> import pathlib, tempfile
    >>> from packtrain.trainer.data.stream.places import places
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.npy").write_bytes(b"123")
    ...     [place.seen[0] for place in places(f"{folder}/*.npy")]
    [3]
    """
    if path is None:
        raise UserError("data=stream needs files: add data.path='FOLDER/*.parquet'")
    files, names = _remote(path) if URL.match(path) else _local(path)
    if not names:
        raise UserError(f"no file is like data.path={path} ({looked_for()})")
    with readable(path):
        return tuple(Place(files, name, _seen(files, name)) for name in names)


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Inside `with`, what goes wrong in reading the file at `path` becomes a UserError.

    >>> from packtrain.trainer.data.stream.places import readable
    >>> with readable("rows.npy"):
    ...     raise ValueError("it ends too early")
    Traceback (most recent call last):
    packtrain...UserError: rows.npy can't be read: it ends too early
    """
    try:
        yield
    except (*UNREADABLE, pyarrow.ArrowException) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} can't be read: {reason(error)}") from None


def _local(path: str) -> tuple[fs.FileSystem, Sequence[str]]:
    expanded = os.path.expanduser(path)
    found = [expanded]
    if glob.has_magic(expanded) and not os.path.exists(expanded):
        found = sorted(glob.glob(expanded, recursive=True))
    for name in found:
        may_read(Path(name))
        if not os.path.exists(name):
            raise UserError(f"there is no file {name} ({looked_for()}); see data.path")
        if not os.path.isfile(name):
            raise UserError(f"data.path is files, as in '{name}/*.parquet', and {name} is none")
    return fs.LocalFileSystem(), found


def _remote(path: str) -> tuple[fs.FileSystem, Sequence[str]]:
    """Through fsspec. Raises UserError where it, or what it needs for such a URL, isn't installed."""
    scheme = path.partition("://")[0]
    try:
        import fsspec  # noqa: PLC0415 (an extra of other packages: only URLs need it)

        files, inside = fsspec.core.url_to_fs(path)
        found = sorted(files.glob(inside)) if glob.has_magic(inside) else [inside]
    except ImportError as error:
        raise UserError(f"data.path={scheme}://... needs a package more: {reason(error)}") from None
    except (ValueError, OSError) as error:
        raise UserError(f"data.path={path} can't be reached: {reason(error)}") from None
    return fs.PyFileSystem(fs.FSSpecHandler(files)), [str(name) for name in found]


def _seen(files: fs.FileSystem, path: str) -> tuple[int, int]:
    """Size and time in ns, 0 where it isn't told. Raises OSError where there is no such file."""
    info = files.get_file_info(path)
    if info.type != fs.FileType.File:
        raise FileNotFoundError(f"there is no file {path}")
    return info.size, info.mtime_ns or 0
