"""What compiling costs this process, whoever asks for it: Numba and Triton report to one stopwatch."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


class _Stopwatch:
    """Counts the seconds in which something is compiled; what that compiles on its way counts with it."""

    def __init__(self) -> None:
        self.seconds, self.depth, self.since = 0.0, 0, 0.0
        self.tell: Callable[[], object] | None = None

    def begin(self) -> None:
        if self.depth == 0:
            self.since = time.perf_counter()
            self.announce()
        self.depth += 1

    def end(self) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.perf_counter() - self.since

    def announce(self) -> None:
        """Tells, once, whoever waits to be told."""
        tell, self.tell = self.tell, None
        if tell:
            tell()


_watch = _Stopwatch()


def seconds() -> float:
    """How long this process has compiled so far."""
    return _watch.seconds


def clock() -> float:
    """time.perf_counter(), but standing still while something is compiled."""
    now = _watch.since if _watch.depth else time.perf_counter()
    return now - _watch.seconds


@contextmanager
def telling(tell: Callable[[], object]) -> Iterator[None]:
    """Within, `tell()` is called when something begins to be compiled, the first time."""
    _watch.tell = tell
    try:
        yield
    finally:
        _watch.tell = None


@cache
def watch_numba() -> None:
    """From now on what Numba compiles is counted; what it finds in its cache isn't."""
    from numba.core import event  # noqa: PLC0415 (numba takes a second to import)

    class Listener(event.Listener):
        def on_start(self, event: object) -> None:
            _watch.begin()

        def on_end(self, event: object) -> None:
            _watch.end()

    event.register("numba:compile", Listener())


@cache
def watch_triton() -> None:
    """From now on what Triton compiles is counted; whoever listened before is still told."""
    from triton import knobs  # noqa: PLC0415 (triton takes a second to import)

    before = knobs.compilation.listener

    def listener(*, times: Any, cache_hit: bool, **about: Any) -> None:
        if not cache_hit:
            _watch.announce()
            _watch.seconds += times.total / 1e6
        if before:
            before(times=times, cache_hit=cache_hit, **about)

    knobs.compilation.listener = listener
