"""One process at a time writes into a folder, or several that share it do, by turns."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from ...kernels.common.errors import UserError
from .slurm import restarts

FILE = ".lock"
CLAIM = ".claim"  # of the worker that trains a pack of a sweep which several share
TURN = ".turn"  # of the worker that writes what concerns the whole of such a sweep
GLANCE = 0.1  # seconds for which a folder may seem taken because another process looks whether it is
LINGERS = 120.0  # and because the former start of a job, on a node that failed, isn't gone yet


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside `with`, only this process writes into `folder`; however it ends, the system lets go of it.

    A job that its scheduler started again waits for its former start to be gone.
    Raises UserError where another process has it, or where nothing can be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.lock import locked
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder, "out")):
    ...     Path(folder, "out").is_dir()
    True
    """
    lock = FileLock(folder / FILE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LINGERS if restarts() else GLANCE)
    except Timeout:
        raise _taken(folder) from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Inside `with`, processes that share `folder` write into it, and none that has it `locked`.

    Raises UserError where one has, or where nothing can be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.lock import locked, shared
    >>> with tempfile.TemporaryDirectory() as folder, shared(Path(folder)), shared(Path(folder)):
    ...     with locked(Path(folder)):
    ...         pass
    Traceback (most recent call last):
    packtrain...UserError: ... is being written by another packtrain: wait for its end, or take another folder
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / FILE).open("a+")  # a file system of a network wants it writable, and readable
    except OSError as error:
        raise _unwritable(folder, error) from None
    with file:
        deadline = time.monotonic() + GLANCE
        while not _share(file):
            if time.monotonic() > deadline:
                raise _taken(folder)
            time.sleep(GLANCE / 10)
        yield


def _share(file: IO[str]) -> bool:
    """Whether this process shares the file's lock now."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Inside `with`, whether this process has claimed `folder`, and no other.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.lock import claimed
    >>> with tempfile.TemporaryDirectory() as folder, claimed(Path(folder)) as mine:
    ...     with claimed(Path(folder)) as theirs:
    ...         print(mine, theirs)
    True False
    """
    lock = FileLock(folder / CLAIM)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Inside `with`, it is this process's turn among those that share `folder`; waits for it.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.lock import shared, turn
    >>> with tempfile.TemporaryDirectory() as folder, shared(Path(folder)), turn(Path(folder)):
    ...     pass
    """
    with FileLock(folder / TURN):
        yield


def _taken(folder: Path) -> UserError:
    return UserError(
        f"{folder} is being written by another packtrain: wait for its end, or take another folder"
    )


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(f"can't write into {folder}: {error.strerror}")


def is_locked(folder: Path) -> bool | None:
    """Whether a process has `folder`; None where none ever had it, or where nothing tells.

    It writes nothing there.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.lock import is_locked, locked
    >>> with TemporaryDirectory() as folder:
    ...     print(is_locked(Path(folder)))
    ...     with locked(Path(folder)):
    ...         print(is_locked(Path(folder)))
    ...     print(is_locked(Path(folder)))
    None
    True
    False
    """
    try:
        with (folder / FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return None
