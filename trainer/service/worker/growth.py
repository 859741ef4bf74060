"""How much a worker may take: learnt from the bytes that the runs of a structure took."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ...data.memory import available_memory
from ..packs import Work

MOST_RUNS = 1 << 17
SHARE = 0.5  # of the memory that is free may be taken by what begins
FEWEST = 64  # runs, from which their bytes can be told from others
FORGET = 0.5  # a structure's bytes a run fall by this where less was needed
PAGE = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Knows the bytes that a run of each structure took; of an unknown one, none."""

    def __init__(self, most: int = MOST_RUNS) -> None:
        self.most = most
        self.bytes_a_run: dict[str, float] = {}
        self.known: set[str] = set()

    @contextmanager
    def measured(self, jobs: Sequence[Work]) -> Iterator[None]:
        """Inside `with` these jobs begin."""
        before = in_use()
        yield
        key, runs = jobs[0].key, sum(job.pack.runs for job in jobs)
        if runs < FEWEST or key not in self.known:  # what is compiled for the first of them isn't the runs'
            self.known.add(key)
            return
        taken = max(0, in_use() - before) / runs
        self.bytes_a_run[key] = max(taken, FORGET * self.bytes_a_run.get(key, 0.0))

    def room(self, held: int) -> int:
        """How many runs more may come, where `held` are here."""
        largest = max(self.bytes_a_run.values(), default=0.0)
        free = SHARE * available_memory(_device())
        fits = int(free / largest) if largest else self.most
        return max(0, min(self.most - held, fits))

    def parts(self, jobs: Sequence[Work]) -> Iterator[list[Work]]:
        """The jobs in packs for which there is room, in their order; one alone is always tried."""
        size = self.bytes_a_run.get(jobs[0].key, 0.0)
        free = SHARE * available_memory(_device())
        part: list[Work] = []
        runs = 0
        for job in jobs:
            if part and (runs + job.pack.runs) * size > free:
                yield part
                part, runs = [], 0
            part.append(job)
            runs += job.pack.runs
        yield part


def in_use() -> int:
    """The bytes that this process holds on its device.

    >>> in_use() > 0
    True
    """
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.memory_allocated()
    return resident()


def resident() -> int:
    """The bytes of memory that this process has; 0 where the system doesn't say.

    >>> resident() > 0
    True
    """
    about = Path("/proc/self/statm")
    return int(about.read_text().split()[1]) * PAGE if about.exists() else 0


def _device() -> torch.device | None:
    return torch.device("cuda") if torch.cuda.is_available() else None
