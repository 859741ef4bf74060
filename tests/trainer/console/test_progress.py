"""Progress: a bar on a terminal, quiet lines elsewhere."""

import io

import pytest
from rich.console import Console

from packtrain.kernels.common import compiling
from packtrain.trainer.console import progress
from packtrain.trainer.console.progress import ProgressLine, telling_of_compiling


def shown(terminal: bool, wanted: bool = True, updates: int = 5) -> str:
    out = io.StringIO()
    line = ProgressLine(Console(file=out, force_terminal=terminal, width=120), 100, wanted)
    line.start()
    for step in range(1, updates + 1):
        line.update(step, 0.25, 1e6)
    line.stop()
    return out.getvalue()


def test_a_short_run_off_a_terminal_prints_nothing() -> None:
    assert shown(terminal=False) == ""


def test_a_long_run_off_a_terminal_prints_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", -1.0)
    assert shown(terminal=False, updates=1) == "step 1 of 100  loss 0.25  1e+06 samples/s\n"


def test_lines_come_further_and_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    assert shown(terminal=False, updates=100).count("\n") <= 12


def test_a_terminal_gets_a_bar_with_loss_and_speed() -> None:
    out = shown(terminal=True)
    assert "5/100" in out
    assert "loss 0.25  1e+06 samples/s" in out


@pytest.mark.parametrize("terminal", [True, False])
def test_unwanted_progress_is_silent(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", -1.0)
    assert shown(terminal, wanted=False) == ""


@pytest.mark.parametrize("wanted", [True, False])
def test_compiling_is_announced_once(wanted: bool) -> None:
    out = io.StringIO()
    with telling_of_compiling(Console(file=out), wanted):
        for _ in range(2):
            compiling._compiling.begin()
            compiling._compiling.end()
    compiling._compiling.begin()
    compiling._compiling.end()
    assert out.getvalue() == (progress.COMPILES + "\n") * wanted
