"""How long this process compiles: Numba and Triton report to two stopwatches."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


class _Stopwatch:
    """Counts the seconds between `begin` and `end`; pairs inside one another, or in several threads, once."""

    def __init__(self, begun: Callable[[], object] = lambda: None) -> None:
        self.seconds, self.depth, self.since = 0.0, 0, 0.0
        self.begun, self.lock = begun, threading.Lock()

    def begin(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth > 1:
                return
            self.since = time.perf_counter()
        self.begun()

    def end(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.seconds += time.perf_counter() - self.since

    def add(self, seconds: float) -> None:
        with self.lock:
            self.seconds += seconds
        self.begun()


_callbacks: list[Callable[[], object]] = []  # called once, when something begins to be compiled


def _call_back() -> None:
    while _callbacks:
        _callbacks.pop()()


_compiling = _Stopwatch(_call_back)
_busy = _Stopwatch()  # compiling, or loading what was compiled


def seconds() -> float:
    """How long this process has compiled so far.

    >>> from packtrain.kernels.common import compiling
    >>> compiling.seconds() >= 0
    True
    """
    return _compiling.seconds


def clock() -> float:
    """time.perf_counter(), but it stands still while something is compiled, or loaded that was.

    >>> from packtrain.kernels.common import compiling
    >>> compiling.clock() <= compiling.clock()
    True
    """
    now = _busy.since if _busy.depth else time.perf_counter()
    return now - _busy.seconds


@contextmanager
def telling(callback: Callable[[], object]) -> Iterator[None]:
    """Within it, `callback` is called when something begins to be compiled, once.

    >>> from packtrain.kernels.common import compiling
    >>> with compiling.telling(lambda: print("compiling ...")):
    ...     pass
    """
    _callbacks.append(callback)
    try:
        yield
    finally:
        if callback in _callbacks:
            _callbacks.remove(callback)


@contextmanager
def clock_stopped() -> Iterator[None]:
    """Within it, clock() stands still: something is compiled that takes milliseconds.

    >>> from packtrain.kernels.common import compiling
    >>> with compiling.clock_stopped():
    ...     compiling.clock() == compiling.clock()
    True
    """
    _busy.begin()
    try:
        yield
    finally:
        _busy.end()


@cache
def watch_numba() -> None:
    """From now on Numba's seconds are counted.

    >>> from packtrain.kernels.common import compiling
    >>> compiling.watch_numba()
    """
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
    """From now on Triton's seconds are counted. A listener that was there before is still called.

    >>> from packtrain.kernels.common import compiling
    >>> compiling.watch_triton()
    """
    from triton import knobs  # noqa: PLC0415 (triton takes a second to import)

    before = knobs.compilation.listener

    def listener(*, times: Any, cache_hit: bool, **about: Any) -> None:
        for watch in (_busy,) if cache_hit else (_busy, _compiling):
            watch.add(times.total / 1e6)
        if before:
            before(times=times, cache_hit=cache_hit, **about)

    knobs.compilation.listener = listener
