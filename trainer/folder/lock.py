"""One process at a time writes into a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...kernels.common.errors import UserError
from .slurm import restarts

FILE = ".lock"
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
        raise UserError(
            f"{folder} is being written by another packtrain: wait for its end, or take another folder"
        ) from None
    except OSError as error:
        raise UserError(f"can't write into {folder}: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


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
