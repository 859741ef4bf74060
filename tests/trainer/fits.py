"""Least-squares fits as a user asks for them, for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packtrain.trainer.engines.base import History
from packtrain.trainer.engines.build import make_engine
from packtrain.trainer.engines.least_squares import LeastSquaresEngine
from tests.helpers import Command, result_in
from tests.trainer.configs import untrained

ALONE = ("~experiment", "compute.precision=fp64", "loop.steps=500", "monitor=quiet")
FIT = (*ALONE, "optimizer=levenberg_marquardt")
X = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0)
BOD = (109.0, 149.0, 149.0, 191.0, 213.0, 224.0)  # NIST's BoxBOD
LINE = (1.1, 1.9, 3.2, 4.7, 7.1, 10.4)


def equation(text: str, initial: Mapping[str, Any], **columns: Sequence[float]) -> tuple[str, ...]:
    """Fields that ask for `text`, from `initial`, on `columns` that stand in the config."""
    table = ", ".join(f"{name}: [{', '.join(map(repr, column))}]" for name, column in columns.items())
    start = ", ".join(f"{name}: {value}" for name, value in initial.items())
    text = f'model.expressions=["{text}"]'
    return text, f"model.initial={{{start}}}", "data=table", f"data.table={{{table}}}"


STRAIGHT = equation("xy = a*x + b", {"a": 0, "b": 0}, x=X, xy=LINE)
SUM = equation("xy = (a + b)*x", {"a": 1, "b": 1}, x=X, xy=LINE)  # only a + b is determined


def saturating(b1: Any, b2: Any) -> tuple[str, ...]:
    """BoxBOD, whose good minimum has a narrow valley and a plateau around it."""
    return equation("xy = b1*(1-exp(-b2*x))", {"b1": b1, "b2": b2}, x=X, xy=BOD)


def result_of(cli: Command, folder: Path, *overrides: str) -> dict[str, Any]:
    """result.json of a command that ends well."""
    ended = cli(*overrides)
    assert ended.code == 0, ended.err
    return result_in(folder / "out")


def run_of(cli: Command, folder: Path, *overrides: str) -> dict[str, Any]:
    """The one run of result.json, which has converged."""
    (run,) = result_of(cli, folder, *overrides)["run"]
    assert run["outcome"] == "finished", run["message"]
    return run


def values(run: Mapping[str, Any], key: str = "value") -> dict[str, Any]:
    """name -> value (or stderr, or ci95) of a run's parameters."""
    return {name: each[key] for name, each in run["parameters"].items()}


def engine_of(*overrides: str) -> LeastSquaresEngine:
    """The engine of a pack, before its first step."""
    engine = make_engine(*untrained(*overrides))
    assert isinstance(engine, LeastSquaresEngine)
    return engine


def drive(engine: LeastSquaresEngine, most: int = 1 << 20) -> list[History]:
    """Advances `engine` to its end, at most `most` steps at a time."""
    last, found = int(engine.steps.max()), []
    while not engine.done:
        found.append(engine.advance(min(engine.step + most, last, engine.horizon)))
    return found
