"""The result folder of a training or of a sweep, read back."""

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
from .objective import objective_in
from .plan import Plan, read_plan
from .ranking import Row
from .underway import how_far

LOSS = int, float, type(None)
HEAD: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("experiment", "device", "precision"), (str,)),
    **dict.fromkeys(("runs", "steps", "samples"), (int,)),
    **dict.fromkeys(("seconds", "outcomes"), (dict,)),
    "best_run": (int, type(None)),
    "run": (list,),
    "confusion": (dict, type(None)),
}
SECONDS = {"train": (int, float), "compile": (int, float, type(None))}
LINE: dict[str, tuple[type, ...]] = {
    "index": (int,),
    "outcome": (str,),
    **dict.fromkeys(("loss.train.first", "loss.train.last", "loss.validation"), LOSS),
}


@dataclass(frozen=True)
class Stored:
    """`result` is result.json, `lines` are those of runs.csv, their values typed; a sweep has a `plan`."""

    folder: Path
    result: dict[str, Any]
    lines: list[Row]
    plan: Plan | None

    def line(self, run: str) -> Row:
        """The line of one run, by its index or "best". Raises UserError where there is none."""
        if not self.lines:
            raise UserError(f"run={run}: {self.folder} has no run yet that has ended")
        index = str(self.result["best_run"]) if run == "best" else run
        match = next((line for line in self.lines if str(line["index"]) == index), None)
        if match is None:
            first, last = self.lines[0]["index"], self.lines[-1]["index"]
            best = "" if self.result["best_run"] is None else f", and {self.result['best_run']} is the best"
            raise UserError(f"run={run}: {self.folder} has the runs {first} to {last}{best}")
        return match

    def place(self, line: Row) -> tuple[Path, int]:
        """The folder of a run's pack, and its index there."""
        if self.plan is None:
            return self.folder, line["index"]
        pack, run = self.plan.place(line["index"])
        return self.folder / pack.folder, run


def read_stored(folder: Path) -> Stored:
    """What is in `folder`. Raises UserError where no training or sweep has ended.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.stored import read_stored
    >>> read_stored(Path("x"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: x holds no finished training or sweep: it has no result.json
    """
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
    """`stored`, whose files may be somebody else's. Raises ValueError or TypeError where they aren't ours.

    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.stored import Stored, checked
    >>> result = dict.fromkeys(["experiment", "device", "precision"], "a")
    >>> result |= dict.fromkeys(["runs", "steps", "samples"], 1)
    >>> result |= {"seconds": {"train": 1.0}, "outcomes": {}, "best_run": "../x", "run": []}
    >>> checked(Stored(Path("out"), result, [], None))
    Traceback (most recent call last):
    ValueError: result.json: best_run is '../x'
    """
    _check("result.json", stored.result, HEAD)
    _check("result.json: seconds", stored.result["seconds"], SECONDS)
    objective_in(stored.result)
    _check_confusion(stored.result.get("confusion"))
    for line in stored.lines:
        _check("runs.csv", line, LINE)
    return stored


def _check_confusion(given: Any) -> None:
    """Raises ValueError, TypeError or KeyError where it isn't K names of classes and K lines of K counts."""
    if given is None:
        return
    names, counts = list(given["classes"]), [list(line) for line in given["counts"]]
    square = [len(line) for line in counts] == [len(names)] * len(names)
    cells = (type(count) is int for line in counts for count in line)
    if not (
        type(given["run"]) is int and square and all(isinstance(name, str) for name in names) and all(cells)
    ):
        raise ValueError(f"result.json: confusion is {given!r}")


def _check(file: str, content: Any, expected: Mapping[str, tuple[type, ...]]) -> None:
    """Raises ValueError where a value in `content` has another type than `expected`, or isn't printable."""
    for name, types in expected.items():
        value = dict(content).get(name)
        if not isinstance(value, types) or (isinstance(value, str) and not value.isprintable()):
            raise ValueError(f"{file}: {name} is {value!r}")


def check_characters(file: Path) -> None:
    """Raises ValueError for characters that a terminal obeys.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.stored import check_characters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "runs.csv").write_bytes(b"a,b\\n\\x1b[2J,3\\n")
    ...     check_characters(Path(folder, "runs.csv"))
    Traceback (most recent call last):
    ValueError: runs.csv has the control character b'\\x1b'
    """
    if match := re.search(rb"[\0-\x08\x0e-\x1f\x7f]", file.read_bytes()):
        raise ValueError(f"{file.name} has the control character {match[0]!r}")


def read_table(file: Path) -> pyarrow.Table:
    """A runs.csv, read as one block, so that the type of a column holds all its values.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.stored import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "runs.csv").write_text("index,loss\\n0,1.5\\n1,\\n")
    ...     read_table(Path(folder, "runs.csv")).to_pylist()
    [{'index': 0, 'loss': 1.5}, {'index': 1, 'loss': None}]
    """
    whole = csv.ReadOptions(block_size=file.stat().st_size + 1)
    return csv.read_csv(file, whole, csv.ParseOptions(newlines_in_values=True))


def steps_made(folder: Path) -> str:
    """The progress of the training in `folder`, as in 'step 1,200 of 4,000'; '' where no file says.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from packtrain.trainer.folder.stored import steps_made
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "checkpoint").mkdir()
    ...     Path(folder, "checkpoint", "step-000000001200.safetensors").touch()
    ...     steps_made(Path(folder))
    'step 1,200'
    """
    try:
        pack = read_pack(folder)
    except UserError:
        return how_far(folder, None)
    counted = pack.config.loop.epochs is None
    return how_far(folder, max(pack.each("loop.steps")) if counted else None)
