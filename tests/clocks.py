"""A clock that stands still until a test sets it."""

import time
from typing import NamedTuple

import pytest

from packtrain.kernels.common import compiling


class Clock(NamedTuple):
    """`now[0]` is the time; `compiled` and `busy` are this process's stopwatches of compiling."""

    now: list[float]
    compiled: compiling._Stopwatch
    busy: compiling._Stopwatch


def standing(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock at 0, and new stopwatches."""
    clock = Clock([0.0], compiling._Stopwatch(), compiling._Stopwatch())
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now[0])
    monkeypatch.setattr(compiling, "_compiling", clock.compiled)
    monkeypatch.setattr(compiling, "_busy", clock.busy)
    return clock
