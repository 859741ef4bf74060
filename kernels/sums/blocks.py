"""Sums over samples that are cut into blocks: each by itself, added in their order, wherever it was computed.

How many threads, processes or devices share the blocks changes no bit of the sum.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

MOST_BLOCKS = 16  # so many processes can share a sum


class Shares(Protocol):
    """Who computes which of `count` blocks, and how all come to have all of them, in order."""

    def own(self, count: int) -> range:
        """The blocks that are computed here."""
        ...

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        """[own, ...] -> [count, ...]."""
        ...


@dataclass(frozen=True)
class Cut:
    """`total` samples in blocks of `size`, a power of 2; the last may have fewer.

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
    size = power_of_2(least)
    while size * MOST_BLOCKS < total:
        size *= 2
    return Cut(total, size)


def power_of_2(least: int) -> int:
    """The smallest power of 2 that is no less.

    >>> power_of_2(5), power_of_2(8)
    (8, 8)
    """
    return 1 << max(0, least - 1).bit_length()


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1 or len(blocks) <= 1:
            for block in blocks:
                work(block)
        else:
            list(_pool(threads).map(work, blocks))
    finally:
        torch.set_num_threads(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "packtrain-blocks", torch.set_num_threads, (1,))


def in_order(parts: Tensor, shares: Sequence[float]) -> Tensor:
    """The sum of parts [K, ...] times their `shares`, in their order: [...] in float64.

    >>> in_order(torch.tensor([[1.0], [3.0]]), [0.25, 0.75])
    tensor([2.5000], dtype=torch.float64)
    """
    total = parts[0].double() * shares[0]
    for part, share in zip(parts[1:], shares[1:], strict=True):
        total += part.double() * share
    return total
