"""What a sweep ends with: its table, its picture, and what is printed."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from ...kernels.common.errors import UserError
from ..console.report import next_steps, results_table, shown, watch_steps
from ..console.tables import Column, new_console, print_columns
from ..folder.atomic import replace_json
from ..folder.curves import read_curves
from ..folder.objective import Objective, objective_in
from ..folder.plan import Plan, unfinished
from ..folder.ranking import Row, lines_best_first, nested, no_best
from ..folder.settings import settings_of
from ..folder.stored import read_table
from ..folder.table import write_settings
from ..pictures.confusion import draw_best
from ..pictures.style import can_draw
from ..pictures.sweep import draw
from .board import write_board
from .gather import Result, ended_packs, resume_step, rows_of, summary, write_runs

MOST_CURVES = 200  # beside the best
MOST_POINTS = 500  # of a curve
HEADINGS = "failed pack", "", "because"  # of the table of packs that failed


def report(root: Path, plan: Plan, reasons: Mapping[str, str]) -> bool:
    """Writes runs.csv, runs.parquet and result.json into `root`, and prints them -> whether packs failed.

    Where matplotlib is installed there is sweep.png too. `reasons` maps the folders of packs without results
    to the reason, where that is known.

    >>> from contextlib import redirect_stdout
    >>> from io import StringIO
    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.command import Command
    >>> from packtrain.trainer.folder.plan import PlannedPack
    >>> plan = Plan(Command("train", [], [], "."), [], [PlannedPack("0", [], {}, first=0, runs=2)])
    >>> with TemporaryDirectory() as root, redirect_stdout(StringIO()):
    ...     failed = report(Path(root), plan, {"0": "its process was killed"})
    >>> failed
    True
    """
    result = write_results(root, plan, reasons)
    drawn = _draw(root, plan, Objective(**result["objective"])) if result["packs"] and can_draw() else {}
    try:
        write_board(root, plan, result, drawn)
    except (OSError, UserError) as error:
        print(
            f"packtrain: TensorBoard lacks the sweep's runs ({error}); the results are written",
            file=sys.stderr,
        )
    _print(new_console(), root, plan, result)
    return bool(result["failed"])


def write_results(root: Path, plan: Plan, reasons: Mapping[str, str]) -> Result:
    """Writes runs.csv, runs.parquet and result.json of the packs that have ended into `root` -> the last.

    `reasons` is as of `report`.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.command import Command
    >>> with TemporaryDirectory() as root:
    ...     write_results(Path(root), Plan(Command("train", [], [], "."), [], []), {})["packs"]
    0
    """
    ended, results = ended_packs(root, plan)
    failed = list(_failures(plan, results, reasons))
    rows = rows_of(root, ended)
    result: Result = summary(ended, results, plan.objective, rows) | {"failed": failed}
    if ended:
        write_runs(root, ended)
    write_settings(root, settings_of(rows, objective_in(result)))
    replace_json(root / "result.json", result)
    return result


def _draw(root: Path, plan: Plan, objective: Objective) -> dict[str, Path]:
    """Draws the usable runs, and what the best takes classes for -> the files by their tags."""
    lines = lines_best_first(read_table(root / "runs.csv").to_pylist(), objective)
    usable = [line for line in lines if objective.of(nested(line)) is not None]
    curves, sweep = _curves(root, plan, usable), root / "sweep.png"
    drawn = {"sweep": sweep} if draw(usable, objective, curves, sweep) else {}
    if draw_best(root):
        drawn["confusion"] = root / "confusion.png"
    return drawn


def _curves(root: Path, plan: Plan, ranked: Sequence[Row]) -> list[np.ndarray]:
    """The recorded losses of the best run and of others, evenly over the ranks; [] where there are none."""
    ranks = np.unique(np.linspace(0, len(ranked) - 1, MOST_CURVES + 1).round().astype(int)) if ranked else []
    places = [plan.place(ranked[rank]["index"]) for rank in ranks]
    recorded = {pack.folder: read_curves(root / pack.folder) for pack, _ in places}
    curves = [_thinned(recorded[pack.folder].line(run, "loss")) for pack, run in places]
    return curves if any(curve.size for curve in curves) else []


def _thinned(curve: np.ndarray) -> np.ndarray:
    """A curve [2, S] of at most about MOST_POINTS, evenly, with its last."""
    last = curve.shape[1] - 1
    return curve[:, np.unique(np.linspace(0, last, MOST_POINTS).round().astype(int))] if last > 0 else curve


def _failures(plan: Plan, results: Mapping[str, Result], reasons: Mapping[str, str]) -> Iterator[Result]:
    """The packs without a run that can be used."""
    for pack in plan.packs:
        result = results[pack.folder]
        if not result:
            why = pack.refused or reasons.get(pack.folder) or "its process ended without results"
        elif result["best_run"] is None:
            why = no_best(result["run"])
        else:
            continue
        yield {"pack": pack.folder, "name": pack.name, "why": why}


def _print(console: Console, root: Path, plan: Plan, result: Result) -> None:
    results_table(console, result, result["run"])
    if result["failed"]:
        print_columns(console, _failed(result["failed"]))
    folder = shown(root)
    steps = {"results": str(folder), **watch_steps(folder, result["runs"])}
    best = next((row for row in result["run"] if row["index"] == result["best_run"]), None)
    if best:
        pack, run = plan.place(best["index"])
        steps["use"] = f"packtrain.load({str(folder / pack.folder)!r}).predict(inputs, run={run})"
    if unfinished(root, plan):
        steps["resume"] = resume_step(root)
    next_steps(console, **steps)


def _failed(failed: list[Result]) -> list[Column]:
    """A line for each pack that failed."""
    texts = zip(*(pack.values() for pack in failed), strict=True)
    return [Column(label, text, "left") for label, text in zip(HEADINGS, texts, strict=True)]
