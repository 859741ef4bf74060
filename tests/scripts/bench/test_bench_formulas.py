"""The benchmark of new formulas: all differ and can be trained, and what takes too long is named."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packtrain.kernels.language import parse
from scripts.bench import bench_formulas as bench
from scripts.common import commands


def test_the_formulas_differ_and_have_the_same_parameters() -> None:
    graphs = {parse(text) for text in bench.formulas()}
    assert len(graphs) == 972
    assert {(graph.inputs, graph.parameters) for graph in graphs} == {(("x",), ("a", "b", "d", "c"))}


def test_works_are_timed_when_a_formula_is_new_and_when_it_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def works(text: str) -> dict[str, Any]:
        return {what: lambda what=what: done.append(f"{what} {text[:9]}") for what in ("fit", "prediction")}

    monkeypatch.setattr(bench, "works", works)
    monkeypatch.setattr(bench, "_seconds", lambda work: work() or float(len(done)))
    monkeypatch.setattr(bench, "megabytes", lambda: float(len(done)))
    rows = bench.in_one_process(2)
    assert len(done) == 4 * (bench.WARM_UP + 2)
    assert [row["what"] for row in rows] == ["fit", "prediction", bench.TOGETHER]
    assert [row["more_seconds"] for row in rows] == [-2, -2, -4]
    assert rows[-1]["more_megabytes"] == 4


@pytest.mark.parametrize("what", ["training", "fit"])
def test_a_formula_is_trained_and_fitted(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BACKEND", "reference")  # compiling takes long
    bench.works(next(bench.formulas()))[what]()


def test_commands_are_typed_twice_with_a_cache_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = []

    def run(folder: Path, *words: str, PACKTRAIN_CACHE: str) -> commands.Spent:
        assert (folder / "points.csv").read_text().startswith("x,xy")
        typed.append((folder.name, words[-1], Path(PACKTRAIN_CACHE).name))
        return commands.Spent(2.0 * len(typed), 1.0 * len(typed))

    monkeypatch.setattr(bench.commands, "run", run)
    rows = bench.whole_commands(1)
    assert [row["what"] for row in rows] == ["command: training", "command: fit", "command: prediction"]
    assert [row["more_seconds"] for row in rows] == [-1, -1, -1]
    assert rows[0]["seconds"] == 7 and rows[0]["seconds_by_the_clock"] == 14
    assert typed[0] == ("0", "hydra.run.dir=training-new", "cache of training")
    assert typed[9] == ("1", "hydra.run.dir=fit-seen", "cache of fit")


def test_what_a_command_says_is_told_where_it_fails(tmp_path: Path) -> None:
    assert commands.run(tmp_path, "-c", "import packtrain.kernels.language").processor > 0
    with pytest.raises(RuntimeError, match=r"ended with 1.*no such luck"):
        commands.run(tmp_path, "-c", "raise SystemExit('no such luck')")


def test_what_misses_its_target_is_named() -> None:
    def row(what: str, seconds: float, megabytes: float = 0.0) -> dict[str, Any]:
        return {"what": what, "more_seconds": seconds, "more_megabytes": megabytes}

    good = [row("fit", 0.1), row("command: fit", 0.3), row(bench.TOGETHER, 0.4, 1.0)]
    assert not list(bench.missed(good))
    bad = [row("fit", 0.11), row("command: fit", 0.31), row(bench.TOGETHER, 0.4, 1.1)]
    assert list(bench.missed([*good, *bad])) == [
        "fit, more_seconds: 0.11, beyond 0.1",
        "command: fit, more_seconds: 0.31, beyond 0.3",
        "all of these, more_megabytes: 1.1, beyond 1.0",
    ]


@pytest.mark.thorough
def test_memory_that_is_used_is_counted() -> None:
    before = bench.megabytes()
    reserved, used = np.empty(500_000_000, np.int8), np.frombuffer(mmap.mmap(-1, 50_000_000), np.int8)
    used[:] = 1  # of pages that nobody had before
    assert 0.8 * used.nbytes < (bench.megabytes() - before) * 1e6 < 0.8 * reserved.nbytes
