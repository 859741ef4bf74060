"""The results of a sweep: one table and one result.json of all its packs."""

import csv
import itertools
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyarrow import parquet

from ...kernels.common.errors import UserError
from ..console.report import shown
from ..data.foreign import UNREADABLE
from ..folder import seconds
from ..folder.atomic import replace
from ..folder.plan import Plan, PlannedPack, read_result
from ..folder.ranking import (
    LISTED_BEST,
    LISTED_RUNS,
    Objective,
    best_first,
    best_run,
    counted,
    loss_of,
    objective_in,
)
from ..folder.stored import Stored, check_characters, checked, read_table

Result = dict[str, Any]
ADDED = "runs", "steps", "samples"
NAMED = "experiment", "device", "backend", "engine", "graph", "precision"


def so_far(root: Path, plan: Plan) -> Stored:
    """What a sweep has come to that isn't finished: a result and a table of the packs that have theirs.

    Raises UserError where these are not as we write them.
    """
    ended, found = ended_packs(root, plan)
    try:
        with TemporaryDirectory() as folder:
            table = Path(folder) / "runs.csv"
            _write_table(table, root, ended)
            check_characters(table)
            lines = read_table(table).to_pylist() if ended else []
        return checked(Stored(root, summary(ended, found, plan.objective), lines, plan))
    except UNREADABLE as error:
        raise UserError(f"{root} holds results that can't be read: {error!r}") from None


def ended_packs(root: Path, plan: Plan) -> tuple[list[PlannedPack], dict[str, Result]]:
    """The packs that have results, and these by folder: {} where there are none."""
    found = {pack.folder: read_result(root / pack.folder) for pack in plan.packs}
    return [pack for pack in plan.packs if found[pack.folder]], found


def summary(packs: list[PlannedPack], found: Mapping[str, Result], objective: Objective | None) -> Result:
    """result.json: what the packs have in common or in all, and the best of their runs."""
    results = [found[pack.folder] for pack in packs]
    outcomes = sum((Counter(each["outcomes"]) for each in results), Counter()).elements()
    rows = [row for pack in packs for row in _listed(pack, found[pack.folder]["run"])]
    objective = objective or _common(results) or loss_of(rows)
    total = {name: sum(each[name] for each in results) for name in ADDED}
    ranked = best_first(rows, objective)
    return {
        **{name: ", ".join(dict.fromkeys(each[name] for each in results)) for name in NAMED},
        "packs": len(packs),
        **total,
        "seconds": {
            name: round(sum(each["seconds"].get(name, 0.0) for each in results), 3) for name in seconds.NAMES
        },
        "outcomes": counted(outcomes),
        "objective": asdict(objective),
        "best_run": best_run(ranked, objective),
        "run": rows if total["runs"] <= LISTED_RUNS else ranked[:LISTED_BEST],
    }


def _common(results: Sequence[Result]) -> Objective | None:
    """What the runs of all packs are ranked by, where that is one thing and not the loss."""
    found = {*map(objective_in, results)}
    return found.pop() if len(found) == 1 else None


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


def resume_step(root: Path) -> str:
    """How a sweep goes on."""
    return f"packtrain {shlex.quote(f'resume={shown(root)}')} trains what is left"
