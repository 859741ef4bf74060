"""Work shared out to threads: for compiled functions that let go of Python's lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

from . import compiling

PARTS = 4  # a thread: some take longer than others


def share(total: int, work: Callable[[int, int], object]) -> None:
    """work(start, stop) for parts of range(total), on as many threads as torch has."""
    compiling.watch_numba()
    threads = torch.get_num_threads()
    if threads == 1 or total <= 1:
        work(0, total)
        return
    parts = min(total, PARTS * threads)
    bounds = [total * part // parts for part in range(parts + 1)]
    for each in [_pool(threads).submit(work, *pair) for pair in pairwise(bounds)]:
        each.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "packtrain")
