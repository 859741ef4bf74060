"""What torchrun remembers while its ranks are started again: when it began, its folder, how it ended."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]

CODE_FILE = "PACKTRAIN_CODE_FILE"  # names the file in which `compute.devices=N` waits for the exit code
PREFIX = "packtrain/"
TO_AGENT = timedelta(seconds=30)  # for the store of the agent: one that has started this process has one


def size() -> int:
    """How many ranks torchrun started, this process among them; 1 where it didn't.

    >>> size()
    1
    """
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is.

    >>> rank()
    0
    """
    return int(os.environ.get("RANK", "0"))


@cache
def agent_store() -> "Store | None":
    """The store of torchrun's agent, which outlives the ranks; None where there is none.

    >>> agent_store() is None
    True
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != str(True):
        return None
    from torch.distributed import TCPStore  # noqa: PLC0415 # pyright: ignore (torch takes seconds to import)

    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(*address, is_master=False, timeout=TO_AGENT)
    store.set_timeout(timedelta(minutes=5))
    return store


def remembered(name: str, make: Callable[[], str]) -> str:
    """What the first call with this name made, also after all ranks were started again.

    >>> remembered("folder", lambda: "outputs/primer")
    'outputs/primer'
    """
    store = agent_store() if size() > 1 else None
    if store is None:
        return make()
    if store.check([PREFIX + name]):
        return store.get(PREFIX + name).decode()
    return store.compare_set(PREFIX + name, "", make()).decode()


@cache
def _moment() -> datetime:
    return datetime.fromisoformat(remembered("began", datetime.now().isoformat))


def began(pattern: str) -> str:
    """When the command began, as strftime writes it: of a training that torchrun started again, at first.

    >>> len(began("%Y-%m-%d"))
    10
    """
    return _moment().strftime(pattern)


def end_with(code: int) -> int:
    """Says how the command ended, so that no rank is started again -> with which code this rank is to exit.

    >>> end_with(2)
    2
    """
    if size() == 1:
        return code
    if file := os.environ.get(CODE_FILE):
        Path(file).write_text(str(code))
        return 0
    remembered("ended", lambda: str(code))
    return code


def ended() -> int | None:
    """With which code to exit at once, since the command ended before its ranks were started again; or None.

    >>> ended() is None
    True
    """
    if size() > 1 and (file := os.environ.get(CODE_FILE)):
        return 0 if Path(file).exists() else None
    store = agent_store() if size() > 1 else None
    known = store is not None and store.check([f"{PREFIX}ended"])
    return int(store.get(f"{PREFIX}ended")) if store is not None and known else None
