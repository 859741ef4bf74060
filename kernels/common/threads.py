"""Work shared among threads: for compiled functions, which release Python's lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

from . import compiling

PARTS = 4  # for each thread: some take longer than others


def share(total: int, work: Callable[[int, int], object]) -> None:
    """Calls work(start, stop) for the parts of range(total), on as many threads as torch has.

    >>> from packtrain.kernels.common.threads import share
    >>> squares = [0] * 5
    >>> def work(start, stop):
    ...     squares[start:stop] = [n * n for n in range(start, stop)]
    >>> share(5, work)
    >>> squares
    [0, 1, 4, 9, 16]
    """
    compiling.watch_numba()
    threads = torch.get_num_threads()
    if threads == 1 or total <= 1:
        work(0, total)
        return
    parts = min(total, PARTS * threads)
    bounds = [total * part // parts for part in range(parts + 1)]
    for future in [_pool(threads).submit(work, *pair) for pair in pairwise(bounds)]:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "packtrain")
