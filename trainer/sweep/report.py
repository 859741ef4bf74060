"""What a sweep ends with: its table, its picture, and what is printed."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from ..console.report import next_steps, results_table, shown
from ..console.tables import Column, new_console, print_columns
from ..folder.atomic import replace_json
from ..folder.curves import read_curve, run_name
from ..folder.objective import Objective, objective_in
from ..folder.plan import Plan, unfinished
from ..folder.ranking import Row, lines_best_first, nested, no_best
from ..folder.settings import settings_of
from ..folder.stored import read_table
from ..folder.table import write_settings
from ..pictures.confusion import draw_best
from ..pictures.style import can_draw
from ..pictures.sweep import draw
from ..tensorboard.image import write_images
from .gather import Result, ended_packs, resume_step, rows_of, summary, write_runs

MOST_CURVES = 200  # beside the best
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
    if result["packs"] and can_draw():
        _draw(root, plan, Objective(**result["objective"]))
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


def _draw(root: Path, plan: Plan, objective: Objective) -> None:
    """Draws the usable runs, and what the best takes classes for; TensorBoard has it where it has curves."""
    lines = lines_best_first(read_table(root / "runs.csv").to_pylist(), objective)
    usable = [line for line in lines if objective.of(nested(line)) is not None]
    curves, sweep = _curves(root, plan, usable), root / "sweep.png"
    drawn = {"sweep": sweep} if draw(usable, objective, curves, sweep) else {}
    if draw_best(root):
        drawn["confusion"] = root / "confusion.png"
    if drawn and curves:
        write_images(root, drawn)


def _curves(root: Path, plan: Plan, ranked: Sequence[Row]) -> list[np.ndarray]:
    """The recorded losses of the best run and of others, evenly over the ranks; [] where there are none."""
    ranks = np.unique(np.linspace(0, len(ranked) - 1, MOST_CURVES + 1).round().astype(int)) if ranked else []
    places = [plan.place(ranked[rank]["index"]) for rank in ranks]
    folders = [root / pack.folder / "tensorboard" / run_name(run, pack.runs) for pack, run in places]
    curves = [read_curve(folder, "loss/train") for folder in folders]
    return curves if any(curve.size for curve in curves) else []


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
    steps = {"results": str(folder), "watch": f"tensorboard --logdir {shlex.quote(str(folder))}"}
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
