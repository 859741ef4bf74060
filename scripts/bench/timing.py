"""How long something takes: warmed up, in shuffled order, by events on a GPU, out of a cold cache."""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Way = Callable[[], Sequence[Tensor]]

WARM_UP = 3
FLUSHED = 1 << 28  # bytes that are written between two timings: more than an L2 cache holds


def rounds(prepared: Mapping[str, Callable[[], object]], device: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of each of what `prepare` made, `repeats` times, every round in another order."""
    seconds: dict[str, list[float]] = {name: [] for name in prepared}
    for _ in range(repeats):
        for name in random.sample(list(prepared), len(prepared)):
            seconds[name].append(once(prepared[name], device))
    return seconds


def median(way: Way, device: str, repeats: int = 10) -> float:
    """The median of the seconds of one way."""
    return statistics.median(rounds({"": prepare(way, device)}, device, repeats)[""])


def prepare(way: Way, device: str) -> Callable[[], object]:
    """`way`, warmed up; on a GPU as a captured graph where that can be, so that no launch gap counts."""
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
    if not device.startswith("cuda"):
        began = time.perf_counter()
        way()
        return time.perf_counter() - began
    torch.empty(FLUSHED, dtype=torch.int8, device=device).zero_()
    if getattr(way, "uncaptured", False):
        torch.cuda.synchronize()  # it may work on a stream of its own
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    way()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop) / 1000
