"""A result folder, of a training or of a sweep, as it is read back."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import csv

from ...kernels.common.errors import UserError
from ..data.foreign import UNREADABLE
from .command import read_command
from .experiment import read_pack
from .plan import Plan, read_plan
from .ranking import Row, objective_in
from .underway import how_far

LOSS = int, float, type(None)
HEAD: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("experiment", "device", "precision"), (str,)),
    **dict.fromkeys(("runs", "steps", "samples"), (int,)),
    **dict.fromkeys(("seconds", "outcomes"), (dict,)),
    "best_run": (int, type(None)),
    "run": (list,),
}
SECONDS = {"train": (int, float), "compile": (int, float, type(None))}
LINE: dict[str, tuple[type, ...]] = {
    "index": (int,),
    "outcome": (str,),
    **dict.fromkeys(("loss.train.first", "loss.train.last", "loss.validation"), LOSS),
}


@dataclass(frozen=True)
class Stored:
    """The `result` and the `lines` of runs.csv, their values typed; `plan` where it is a sweep's."""

    folder: Path
    result: dict[str, Any]
    lines: list[Row]
    plan: Plan | None

    def line(self, run: str) -> Row:
        """The line of one run, by its index or 'best'. Raises UserError where there is none."""
        if not self.lines:
            raise UserError(f"run={run}: {self.folder} has no run yet that has ended")
        index = str(self.result["best_run"]) if run == "best" else run
        found = next((line for line in self.lines if str(line["index"]) == index), None)
        if found is None:
            first, last = self.lines[0]["index"], self.lines[-1]["index"]
            best = "" if self.result["best_run"] is None else f", and {self.result['best_run']} is the best"
            raise UserError(f"run={run}: {self.folder} has the runs {first} to {last}{best}")
        return found

    def place(self, line: Row) -> tuple[Path, int]:
        """The folder of a run's pack, and its index there."""
        if self.plan is None:
            return self.folder, line["index"]
        pack, run = self.plan.place(line["index"])
        return self.folder / pack.folder, run


def read_stored(folder: Path) -> Stored:
    """What is in `folder`. Raises UserError where no training or sweep has ended."""
    plan = read_plan(folder)
    if not (folder / "result.json").exists():
        raise UserError(_no_result(folder, plan))
    try:
        result = json.loads((folder / "result.json").read_text())
        lines = read_table(folder / "runs.csv").to_pylist()
        check_characters(folder / "runs.csv")
        return checked(Stored(folder, result, lines or [{}], plan))
    except UNREADABLE as error:
        hint = f"; packtrain resume={folder} finishes its sweep" if plan else ""
        raise UserError(f"{folder} holds no finished training or sweep ({error}){hint}") from None


def _no_result(folder: Path, plan: Plan | None) -> str:
    """Why there is nothing to look at, and what to do about it."""
    if not plan and not (folder / ".hydra").is_dir():
        return f"{folder} holds no finished training or sweep: it has no result.json"
    what = "training" if plan is None else "search" if plan.objective else "sweep"
    step = f" at {made}" if plan is None and (made := steps_made(folder)) else ""
    goes_on = f"; packtrain resume={folder} goes on with it" if plan or read_command(folder) else ""
    return f"{folder} has no results: its {what} is still running, or was cut short{step}{goes_on}"


def checked(stored: Stored) -> Stored:
    """What was read may be somebody else's. Raises ValueError and TypeError where it isn't as we write it."""
    _check("result.json", stored.result, HEAD)
    _check("result.json: seconds", stored.result["seconds"], SECONDS)
    objective_in(stored.result)
    for line in stored.lines:
        _check("runs.csv", line, LINE)
    return stored


def _check(file: str, given: Any, expected: Mapping[str, tuple[type, ...]]) -> None:
    """Raises ValueError where `given` isn't as we write it: it may be somebody else's."""
    for name, types in expected.items():
        found = dict(given).get(name)
        if not isinstance(found, types) or (isinstance(found, str) and not found.isprintable()):
            raise ValueError(f"{file}: {name} is {found!r}")


def check_characters(file: Path) -> None:
    """Raises ValueError for characters that a terminal obeys."""
    if found := re.search(rb"[\0-\x08\x0e-\x1f\x7f]", file.read_bytes()):
        raise ValueError(f"{file.name} has the control character {found[0]!r}")


def read_table(file: Path) -> pyarrow.Table:
    """A runs.csv. Types are those that hold all values of a column: the whole file is one block."""
    whole = csv.ReadOptions(block_size=file.stat().st_size + 1)
    return csv.read_csv(file, whole, csv.ParseOptions(newlines_in_values=True))


def steps_made(folder: Path) -> str:
    """How far the training in `folder` has come, as in 'step 1,200 of 4,000'; '' where nothing tells."""
    try:
        pack = read_pack(folder)
    except UserError:
        return how_far(folder, None)
    counted = pack.config.loop.epochs is None
    return how_far(folder, max(pack.each("loop.steps")) if counted else None)
