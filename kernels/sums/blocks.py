"""Sums over samples that are cut into blocks: each by itself, added in their order, wherever it was computed.

How many threads, processes or devices share the blocks changes no bit of the sum.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

IN_CACHE = 1 << 14  # numbers that are added at a time
MOST_BLOCKS = 16  # so many processes can share a sum

_threads: ContextVar[int] = ContextVar("threads", default=0)  # those outside of one_thread


class Shares(Protocol):
    """Who computes which of `count` blocks, and how all come to have all of them, in order."""

    def own(self, count: int) -> range:
        """The blocks that are computed here."""
        ...

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        """[own, ...] -> [count, ...]."""
        ...


class Alone:
    """The Shares of one process: it has all blocks.

    >>> Alone().own(3), Alone().everywhere(torch.ones(3), 3).tolist()
    (range(0, 3), [1.0, 1.0, 1.0])
    """

    def own(self, count: int) -> range:
        """All."""
        return range(count)

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        """What is here."""
        return part


@dataclass(frozen=True)
class Cut:
    """`total` samples in blocks of `size`; the last may have fewer.

    >>> cut = Cut(total=10, size=4)
    >>> cut.count, cut.rows(range(1, 3))
    (3, slice(4, 10, None))
    """

    total: int
    size: int

    @property
    def count(self) -> int:
        """How many blocks there are: one at least."""
        return max(1, -(-self.total // self.size))

    def rows(self, blocks: range) -> slice:
        """The samples of some blocks in a row."""
        return slice(*(min(block * self.size, self.total) for block in (blocks.start, blocks.stop)))

    def block(self, number: int) -> slice:
        """The samples of one block."""
        return self.rows(range(number, number + 1))

    def share(self, number: int) -> float:
        """The part of all samples that one block has."""
        rows = self.block(number)
        return (rows.stop - rows.start) / max(1, self.total)


def cut(total: int, least: int) -> Cut:
    """`total` samples in blocks of `least` or more, in at most MOST_BLOCKS: a function of these alone.

    >>> cut(100, least=128).count, cut(1000, least=128), cut(100_000, least=128)
    (1, Cut(total=1000, size=128), Cut(total=100000, size=8192))
    """
    size = least
    while size * MOST_BLOCKS < total:
        size *= 2
    return Cut(total, size)


def each_on_one_thread(work: Callable[[int], object], blocks: range) -> None:
    """Calls work(block) of each block: on as many threads as torch has, each of which computes with one.

    The bits of torch's products and sums depend on how many threads share them: here none does.

    >>> numbers = [0, 0, 0]
    >>> def work(block):
    ...     numbers[block] = torch.get_num_threads()
    >>> each_on_one_thread(work, range(3))
    >>> numbers
    [1, 1, 1]
    """
    with one_thread() as threads:
        if threads == 1 or len(blocks) <= 1:
            for block in blocks:
                work(block)
        else:
            list(_pool(threads).map(work, blocks))


@contextmanager
def one_thread() -> Iterator[int]:
    """Inside `with`, torch computes on one thread -> how many there are for each_on_one_thread.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    threads = torch.get_num_threads()
    there_are = _threads.get() or threads
    kept = _threads.set(there_are)
    torch.set_num_threads(1)
    try:
        yield there_are
    finally:
        torch.set_num_threads(threads)
        _threads.reset(kept)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "packtrain-blocks", torch.set_num_threads, (1,))


def gathered(cut: Cut, shares: Shares, work: Callable[[slice], Tensor], like: Tensor) -> Tensor:
    """What work(rows) gives of each block, as `like`, computed where `shares` say: [count, *like.shape].

    >>> gathered(Cut(5, 2), Alone(), lambda rows: torch.tensor(float(rows.start)), torch.empty(()))
    tensor([0., 2., 4.])
    """
    own = shares.own(cut.count)
    parts = like.new_empty(len(own), *like.shape)

    def compute(block: int) -> None:
        parts[block - own.start].copy_(work(cut.block(block)))

    if like.is_cuda:
        for block in own:
            compute(block)
    else:
        each_on_one_thread(compute, own)
    return shares.everywhere(parts, cut.count)


def in_order(parts: Tensor, shares: Sequence[float] = ()) -> Tensor:
    """The sum of parts [K, ...], times their `shares` where given, in their order: [...] in float64.

    >>> in_order(torch.tensor([[1.0], [3.0]]), [0.25, 0.75])
    tensor([2.5000], dtype=torch.float64)
    """
    shares = shares or [1.0] * len(parts)
    total = torch.zeros_like(parts[0], dtype=torch.float64)
    some = max(1, total.numel()) if parts.is_cuda else IN_CACHE
    columns = [part.reshape(-1).split(some) for part in (total, *parts)]
    for piece, *pieces in zip(*columns, strict=True):
        for part, share in zip(pieces, shares, strict=True):
            piece += part.double() * share
    return total
