"""How long something takes: warmed up, in shuffled order, by events on a GPU, out of a cold cache."""

import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

Way = Callable[[], Sequence[Tensor]]
T = TypeVar("T")
Mark = float | torch.cuda.Event

WARM_UP = 3
FLUSHED = 1 << 28  # bytes that are written between two timings: more than an L2 cache holds


def rounds(prepared: Mapping[str, Callable[[], object]], device: str, repeats: int) -> dict[str, list[float]]:
    """{way: its seconds in each of `repeats` rounds}; every round is in another order."""
    return shuffled({name: partial(once, way, device) for name, way in prepared.items()}, repeats)


def shuffled(ways: Mapping[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """{way: what it returned in each of `repeats` rounds}; every round is in another order."""
    results: dict[str, list[T]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name in random.sample(list(ways), len(ways)):
            results[name].append(ways[name]())
    return results


def median(way: Way, device: str, repeats: int = 10) -> float:
    """The median seconds of one way."""
    return statistics.median(rounds({"": prepare(way, device)}, device, repeats)[""])


def prepare(way: Way, device: str) -> Callable[[], object]:
    """Warms `way` up -> what to time; on a GPU a captured graph, so that no launch gap counts.

    A way that has the attribute `uncaptured` is not captured.
    """
    for _ in range(WARM_UP):
        way()
    if not device.startswith("cuda") or getattr(way, "uncaptured", False):
        return way
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    # On this stream, since a backward pass runs on the stream of its forward pass.
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        way()
    return graph.replay


def once(way: Callable[[], object], device: str) -> float:
    """Seconds of one call."""
    if device.startswith("cuda"):
        torch.empty(FLUSHED, dtype=torch.int8, device=device).zero_()
        if getattr(way, "uncaptured", False):
            torch.cuda.synchronize()  # it may work on a stream of its own
    start = mark(device)
    way()
    return between(start, mark(device))


def one_thread() -> None:
    """All that computes here does so on one thread, and this process on one core.

    To be called before JAX is loaded, which makes a thread for each core that it may use.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    threadpool_limits(1)


def processor(way: Callable[[], object], calls: int = 1) -> float:
    """Seconds of processor time of so many calls, of all threads: other programs don't count.

    A call before them fills the caches, as the calls do for one another.
    """
    way()
    began = time.process_time()
    for _ in range(calls):
        way()
    return time.process_time() - began


def mark(device: str) -> Mark:
    """Now, by the clock; on a GPU the moment that its stream comes to this point."""
    if not device.startswith("cuda"):
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def between(start: Mark, stop: Mark) -> float:
    """Seconds between two marks."""
    if isinstance(start, torch.cuda.Event):
        assert isinstance(stop, torch.cuda.Event)
        stop.synchronize()
        return start.elapsed_time(stop) / 1000
    assert not isinstance(stop, torch.cuda.Event)
    return stop - start
