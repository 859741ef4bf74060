"""What a training takes."""

import time

import pytest

from packtrain.kernels.common import compiling
from packtrain.trainer.folder.seconds import Seconds, Stopwatch
from packtrain.trainer.loop.stop import Stop


def test_compiling_is_no_training_and_earlier_parts_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    compiled, busy = compiling._Stopwatch(), compiling._Stopwatch()
    monkeypatch.setattr(compiling, "_compiling", compiled)
    monkeypatch.setattr(compiling, "_busy", busy)
    watch = Stopwatch()
    now[0] = 1
    stop = Stop(8.5, Seconds(10, 5, 2), watch)
    now[0] = 3
    busy.begin()
    compiled.begin()
    now[0] = 6
    compiled.end()
    now[0] = 7
    assert stop.seconds.train == 5 + 2 and stop.reason() == ""
    busy.end()
    now[0] = 8
    assert stop.seconds == Seconds(10 + 8, 5 + 3, 2 + 3)
    now[0] = 9
    assert stop.reason() == "loop.max_seconds=8.5 was reached"
    watch.stop()
    now[0] = 20
    assert watch.seconds == Seconds(10 + 20, 5 + 4, 2 + 3)
