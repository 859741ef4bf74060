"""One process at a time writes into a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...kernels.common.errors import UserError

FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside `with`, only this process writes into `folder`; however it ends, the system lets go of it.

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
        lock.acquire(timeout=0)
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
