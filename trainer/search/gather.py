"""The results of a sweep: one table and one result.json of all its packs, and what is printed at its end."""

import csv
import itertools
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pyarrow import parquet
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernels.errors import UserError
from trainer.atomic import replace, replace_json
from trainer.monitor.curves import read_curve, run_name
from trainer.monitor.image import write_image
from trainer.monitor.report import next_steps, results_table, shown
from trainer.rows import (
    LISTED_BEST,
    LISTED_RUNS,
    Objective,
    Row,
    best_first,
    best_run,
    counted,
    lines_best_first,
    loss_of,
    nested,
    no_best,
)
from trainer.search.picture import draw
from trainer.search.plan import Plan, PlannedPack, read_result, unfinished
from trainer.seconds import Seconds
from trainer.stored import Stored, check_characters, checked, read_table

Result = dict[str, Any]
DAMAGE = OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, csv.Error
ADDED = "runs", "steps", "samples"
SECONDS = [each.name for each in fields(Seconds)]
MOST_CURVES = 200  # beside the best
NAMED = "experiment", "device", "backend", "engine", "graph", "precision"


def report(root: Path, plan: Plan, reasons: Mapping[str, str]) -> bool:
    """Writes runs.csv, runs.parquet and result.json into `root`, and prints them -> whether packs failed.

    Where matplotlib is installed there is sweep.png too. `reasons` says why a pack has no results, where
    that is known.
    """
    ended, found = _ended(root, plan)
    failed = list(_failures(plan, found, reasons))
    result: Result = _summary(ended, found, plan.objective) | {"failed": failed}
    if ended:
        write_runs(root, ended)
    replace_json(root / "result.json", result)
    if ended and find_spec("matplotlib"):
        _draw(root, plan, Objective(**result["objective"]))
    _print(Console(markup=False), root, plan, result)
    return bool(failed)


def so_far(root: Path, plan: Plan) -> Stored:
    """What a sweep has come to that isn't finished: a result and a table of the packs that have theirs.

    Raises UserError where these are not as we write them.
    """
    ended, found = _ended(root, plan)
    try:
        with TemporaryDirectory() as folder:
            table = Path(folder) / "runs.csv"
            _write_table(table, root, ended)
            check_characters(table)
            lines = read_table(table).to_pylist() if ended else []
        return checked(Stored(root, _summary(ended, found, plan.objective), lines, plan))
    except DAMAGE as error:
        raise UserError(f"{root} holds results that can't be read: {error!r}") from None


def _ended(root: Path, plan: Plan) -> tuple[list[PlannedPack], dict[str, Result]]:
    """The packs that have results, and these by folder: {} where there are none."""
    found = {pack.folder: read_result(root / pack.folder) for pack in plan.packs}
    return [pack for pack in plan.packs if found[pack.folder]], found


def _draw(root: Path, plan: Plan, objective: Objective) -> None:
    """Draws the runs of use into sweep.png, which TensorBoard has too where it has their curves."""
    lines = lines_best_first(read_table(root / "runs.csv").to_pylist(), objective)
    usable = [line for line in lines if objective.of(nested(line)) is not None]
    curves, picture = _curves(root, plan, usable), root / "sweep.png"
    if draw(usable, objective, curves, picture) and curves:
        write_image("sweep", picture)


def _curves(root: Path, plan: Plan, ranked: Sequence[Row]) -> list[np.ndarray]:
    """The recorded losses of the best run and of others, evenly of all ranks; [] where none were recorded."""
    ranks = np.unique(np.linspace(0, len(ranked) - 1, MOST_CURVES + 1).round().astype(int)) if ranked else []
    places = [plan.place(ranked[rank]["index"]) for rank in ranks]
    folders = [root / pack.folder / "tensorboard" / run_name(run, pack.runs) for pack, run in places]
    found = [read_curve(folder, "loss/train") for folder in folders]
    return found if any(curve.size for curve in found) else []


def _failures(plan: Plan, found: Mapping[str, Result], reasons: Mapping[str, str]) -> Iterator[Result]:
    """The packs without a run that can be used."""
    for pack in plan.packs:
        result = found[pack.folder]
        if not result:
            why = pack.refused or reasons.get(pack.folder) or "its process ended without results"
        elif result["best_run"] is None:
            why = no_best(result["run"])
        else:
            continue
        yield {"pack": pack.folder, "name": pack.name, "why": why}


def _summary(packs: list[PlannedPack], found: Mapping[str, Result], objective: Objective | None) -> Result:
    """result.json: what the packs have in common or in all, and the best of their runs."""
    results = [found[pack.folder] for pack in packs]
    outcomes = sum((Counter(each["outcomes"]) for each in results), Counter()).elements()
    rows = [row for pack in packs for row in _listed(pack, found[pack.folder]["run"])]
    objective = objective or loss_of(rows)
    total = {name: sum(each[name] for each in results) for name in ADDED}
    ranked = best_first(rows, objective)
    return {
        **{name: ", ".join(dict.fromkeys(each[name] for each in results)) for name in NAMED},
        "packs": len(packs),
        **total,
        "seconds": {
            name: round(sum(each["seconds"].get(name, 0.0) for each in results), 3) for name in SECONDS
        },
        "outcomes": counted(outcomes),
        "objective": asdict(objective),
        "best_run": best_run(ranked, objective),
        "run": rows if total["runs"] <= LISTED_RUNS else ranked[:LISTED_BEST],
    }


def _listed(pack: PlannedPack, rows: list[Result]) -> Iterator[Result]:
    """A pack's rows as rows of the sweep."""
    for row in rows:
        place = {"index": pack.first + row["index"], "pack": pack.folder}
        yield {**row, **place, "values": {**pack.values, **row["values"]}}


def write_runs(root: Path, packs: list[PlannedPack]) -> None:
    """runs.csv, a row for each run of the `packs`, and the same as runs.parquet."""
    replace(root / "runs.csv", lambda file: _write_table(file, root, packs))
    table = read_table(root / "runs.csv")
    replace(root / "runs.parquet", lambda file: parquet.write_table(table, file))


def _rows(root: Path, pack: PlannedPack) -> Iterator[dict[str, Any]]:
    """The rows of a pack's runs.csv, each with its place in the sweep and its structure."""
    with (root / pack.folder / "runs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            run = int(row.pop("index"))
            yield {"index": pack.first + run, "pack": pack.folder, "run": run, **pack.values, **row}


def weave(columns: list[str], others: list[str]) -> None:
    """Puts each of `others` that is new to `columns` after the one that it follows."""
    place = 0
    for name in others:
        if name not in columns:
            columns.insert(place, name)
        place = columns.index(name) + 1


def _write_table(file: Path, root: Path, packs: list[PlannedPack]) -> None:
    columns: list[str] = []
    for pack in packs:
        weave(columns, list(next(_rows(root, pack))))
    rows = itertools.chain.from_iterable(_rows(root, pack) for pack in packs)
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerows(rows)


def _print(console: Console, root: Path, plan: Plan, result: Result) -> None:
    results_table(console, result, result["run"])
    if result["failed"]:
        console.print(_failed_table(result["failed"]))
    folder = shown(root)
    steps = {"results": str(folder), "watch": f"tensorboard --logdir {shlex.quote(str(folder))}"}
    best = next((row for row in result["run"] if row["index"] == result["best_run"]), None)
    if best:
        pack, run = plan.place(best["index"])
        steps["use"] = f"trainer.load({str(folder / pack.folder)!r}).predict(inputs, run={run})"
    if unfinished(root, plan):
        steps["resume"] = resume_step(root)
    next_steps(console, **steps)


def resume_step(root: Path) -> str:
    """How a sweep goes on."""
    return f"packtrain {shlex.quote(f'resume={shown(root)}')} trains what is left"


def _failed_table(failed: list[Result]) -> Table:
    table = Table(box=box.SIMPLE)
    for label in ("failed pack", "", "because"):
        table.add_column(label, overflow="fold")
    for each in failed:
        table.add_row(*(Text(text) for text in each.values()))
    return table
