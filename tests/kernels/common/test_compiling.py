"""The stopwatch of compiling."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from triton import knobs

from packtrain.kernels.common import compiling, source_cache
from packtrain.kernels.common.threads import share
from tests.clocks import standing

SOURCE = """from numba import njit


@njit
def inner(x):
    return x + {number}


@njit(nogil=True, cache=True)
def double(start, stop, x):
    for place in range(start, stop):
        x[place] = 2 * inner(x[place])
"""


@pytest.fixture
def calls() -> Iterator[list[float]]:
    """The seconds of compiling, at each call of what listens."""
    seconds: list[float] = []
    with compiling.telling(lambda: seconds.append(compiling.seconds())):
        yield seconds


def test_each_type_of_numbers_is_compiled_and_told(
    calls: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKTRAIN_CACHE", str(tmp_path))
    module = source_cache.load(SOURCE.format(number=time.time_ns()))

    def compiled(dtype: type) -> float:
        before, began, x = compiling.seconds(), time.perf_counter(), np.ones(3, dtype)
        share(3, lambda start, stop: module.double(start, stop, x))
        assert compiling.seconds() - before <= time.perf_counter() - began, "what is within counts once"
        return compiling.seconds() - before

    assert compiled(np.float32) > 0 and len(calls) == 1
    assert compiled(np.float32) == 0
    with compiling.telling(lambda: calls.append(0)):
        assert compiled(np.float64) > 0 and len(calls) == 2
        assert compiled(np.float64) == 0


def test_the_clock_stands_still_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    now, compiled, busy = standing(monkeypatch)
    shown = []
    acts = [busy.begin, compiled.begin, busy.begin, compiled.end, busy.end, busy.end, list, busy.begin]
    for now[0], act in enumerate(acts):
        act()
        shown.append((compiling.clock(), compiling.seconds()))
    assert [still for still, _ in shown] == [0, 0, 0, 0, 0, 0, 1, 2]
    assert [spent for _, spent in shown] == [0, 0, 0, 2, 2, 2, 2, 2]


def test_triton_is_counted_and_its_listener_still_told(
    calls: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bool] = []
    monkeypatch.setattr(knobs.compilation, "listener", lambda *, cache_hit, **about: heard.append(cache_hit))
    compiling.watch_triton.__wrapped__()
    before, began = compiling.seconds(), compiling.clock()
    about = {"src": None, "metadata": {}, "metadata_group": {}, "times": SimpleNamespace(total=2_000_000)}
    listener = knobs.compilation.listener
    assert listener is not None
    listener(**about, cache_hit=True)
    assert compiling.seconds() == before and not calls
    listener(**about, cache_hit=False)
    assert compiling.seconds() == pytest.approx(before + 2) and len(calls) == 1 and heard == [True, False]
    assert compiling.clock() < began - 3, "what is loaded stops the clock too"
