"""Leases of devices: a process takes one that the fewest others have."""

import itertools
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)
ANY = "auto", "cuda"  # the words of compute.device that name no number
GUARD, SECONDS = (
    "choosing",
    30.0,
)  # the lock under which one process at a time chooses, and waits so long for it


@contextmanager
def leased(devices: Sequence[str], folder: Path) -> Iterator[int]:
    """The number of the one of the `devices` that fewest processes have; inside `with` this one has it too.

    A lease is a lock on a file in `folder`, which the system lets go of however the process ends. The names
    of devices are unique, on all machines that share the folder. Where it can't be written it is the first.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, leased(["GPU-1", "GPU-2"], Path(folder)) as first:
    ...     with leased(["GPU-1", "GPU-2"], Path(folder)) as second:
    ...         first, second
    (0, 1)
    """
    with ExitStack() as stack:
        try:
            number, lock = _lease(devices, folder)
            stack.callback(_end, lock)
        except (OSError, Timeout) as error:
            log.warning("no lease of a CUDA device in %s (%s): the first is taken", folder, error)
            number = 0
        yield number


def _lease(devices: Sequence[str], folder: Path) -> tuple[int, FileLock]:
    """The number of a device, and the lock that this process has on it from now on."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / GUARD, timeout=SECONDS):
        holders = Counter(file.name.rpartition(".")[0] for file in folder.glob("*.*") if _is_held(file))
        number = min(range(len(devices)), key=lambda number: holders[devices[number]])
        name = devices[number]
        free = (folder / f"{name}.{place}" for place in itertools.count())
        lock = FileLock(next(file for file in free if not file.exists()))
        lock.acquire(timeout=0)
    log.info("leased device %d of %d, %s, which %d others have", number, len(devices), name, holders[name])
    return number, lock


def _is_held(file: Path) -> bool:
    """Whether a process has the lease; that of a process that is gone is removed."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    _end(lock)
    return False


def _end(lock: FileLock) -> None:
    with suppress(OSError):
        os.unlink(lock.lock_file)
    lock.release()
