"""What compiling costs this process, whoever asks for it: Numba and Triton report to two stopwatches."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


class _Stopwatch:
    """Counts the seconds between `begin` and `end`, of nested pairs and those of other threads once."""

    def __init__(self, tell: Callable[[], object] = lambda: None) -> None:
        self.seconds, self.depth, self.since = 0.0, 0, 0.0
        self.tell, self.lock = tell, threading.Lock()

    def begin(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth > 1:
                return
            self.since = time.perf_counter()
        self.tell()

    def end(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.seconds += time.perf_counter() - self.since

    def add(self, seconds: float) -> None:
        with self.lock:
            self.seconds += seconds
        self.tell()


_told: list[Callable[[], object]] = []  # who waits to be told that something is compiled


def _tell() -> None:
    """Each is told once."""
    while _told:
        _told.pop()()


_compiling = _Stopwatch(_tell)
_busy = _Stopwatch()  # compiling, or loading what was compiled


def seconds() -> float:
    """How long this process has compiled so far."""
    return _compiling.seconds


def clock() -> float:
    """time.perf_counter(), but standing still while something is compiled, or loaded that was."""
    now = _busy.since if _busy.depth else time.perf_counter()
    return now - _busy.seconds


@contextmanager
def telling(tell: Callable[[], object]) -> Iterator[None]:
    """Within, `tell()` is called when something begins to be compiled, the first time."""
    _told.append(tell)
    try:
        yield
    finally:
        if tell in _told:
            _told.remove(tell)


@cache
def watch_numba() -> None:
    """From now on what Numba does is counted."""
    from numba.core import event  # noqa: PLC0415 (numba takes a second to import)

    class Listener(event.Listener):
        def __init__(self, watch: _Stopwatch) -> None:
            self.watch = watch

        def on_start(self, event: object) -> None:
            self.watch.begin()

        def on_end(self, event: object) -> None:
            self.watch.end()

    event.register("numba:compile", Listener(_compiling))
    event.register("numba:compiler_lock", Listener(_busy))


@cache
def watch_triton() -> None:
    """From now on what Triton does is counted; whoever listened before is still told."""
    from triton import knobs  # noqa: PLC0415 (triton takes a second to import)

    before = knobs.compilation.listener

    def listener(*, times: Any, cache_hit: bool, **about: Any) -> None:
        for watch in (_busy,) if cache_hit else (_busy, _compiling):
            watch.add(times.total / 1e6)
        if before:
            before(times=times, cache_hit=cache_hit, **about)

    knobs.compilation.listener = listener
