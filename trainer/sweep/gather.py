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
ADDED = "runs", "steps", "samples"  # fields of the packs' results that are added up
NAMED = "experiment", "device", "backend", "engine", "graph", "precision"  # and that are listed


def so_far(root: Path, plan: Plan) -> Stored:
    """The results of a sweep that isn't finished: a result.json and a table of the packs that have theirs.

    Raises UserError where these are not as we write them.

    >>> from packtrain.trainer.folder.command import Command
    >>> plan = Plan(Command("train", [], [], "."), [], [PlannedPack("0", [], {}, first=0, runs=2)])
    >>> so_far(Path("sweep"), plan).lines
    []
    """
    ended, results = ended_packs(root, plan)
    try:
        with TemporaryDirectory() as folder:
            table = Path(folder) / "runs.csv"
            _write_table(table, root, ended)
            check_characters(table)
            lines = read_table(table).to_pylist() if ended else []
        return checked(Stored(root, summary(ended, results, plan.objective), lines, plan))
    except UNREADABLE as error:
        raise UserError(f"{root} holds results that can't be read: {error!r}") from None


def ended_packs(root: Path, plan: Plan) -> tuple[list[PlannedPack], dict[str, Result]]:
    """The packs that have ended, and the result.json of every pack by its folder: {} where there is none.

    >>> from packtrain.trainer.folder.command import Command
    >>> plan = Plan(Command("train", [], [], "."), [], [PlannedPack("0", [], {}, first=0, runs=2)])
    >>> ended_packs(Path("sweep"), plan)
    ([], {'0': {}})
    """
    results = {pack.folder: read_result(root / pack.folder) for pack in plan.packs}
    return [pack for pack in plan.packs if results[pack.folder]], results


def summary(packs: list[PlannedPack], results: Mapping[str, Result], objective: Objective | None) -> Result:
    """The result.json of a sweep: what its `packs` have in common or in all, and the best of their runs.

    `results` are those of the packs by folder. Without an `objective` the packs' own ranks the runs, where
    they have the same, else the loss.

    >>> summary([], {}, None)["packs"]
    0
    """
    of_packs = [results[pack.folder] for pack in packs]
    outcomes = sum((Counter(result["outcomes"]) for result in of_packs), Counter()).elements()
    rows = [row for pack in packs for row in _listed(pack, results[pack.folder]["run"])]
    objective = objective or _common(of_packs) or loss_of(rows)
    total = {name: sum(result[name] for result in of_packs) for name in ADDED}
    spent = [result["seconds"] for result in of_packs]
    ranked = best_first(rows, objective)
    best = best_run(ranked, objective)
    return {
        **{name: ", ".join(dict.fromkeys(result[name] for result in of_packs)) for name in NAMED},
        "why": "; ".join(dict.fromkeys(filter(None, (result.get("why") for result in of_packs)))),
        "packs": len(packs),
        **total,
        "seconds": {name: round(sum(part.get(name, 0.0) for part in spent), 3) for name in seconds.NAMES},
        "outcomes": counted(outcomes),
        "objective": asdict(objective),
        "best_run": best,
        **_confusion(packs, results, best),
        "run": rows if total["runs"] <= LISTED_RUNS else ranked[:LISTED_BEST],
    }


def _confusion(packs: list[PlannedPack], results: Mapping[str, Result], best: int | None) -> Result:
    """{"confusion": ...} of the sweep's best run, where its pack counted it as its own best; else {}."""
    for pack in packs:
        confusion = results[pack.folder].get("confusion")
        if confusion and best == pack.first + confusion["run"]:
            return {"confusion": {**confusion, "run": best}}
    return {}


def _common(results: Sequence[Result]) -> Objective | None:
    """The objective of all packs, where they have the same one."""
    objectives = {*map(objective_in, results)}
    return objectives.pop() if len(objectives) == 1 else None


def _listed(pack: PlannedPack, rows: list[Result]) -> Iterator[Result]:
    """A pack's rows as rows of the sweep."""
    for row in rows:
        place = {"index": pack.first + row["index"], "pack": pack.folder}
        yield {**row, **place, "values": {**pack.values, **row["values"]}}


def write_runs(root: Path, packs: list[PlannedPack]) -> None:
    """Writes runs.csv, a row for each run of the `packs`, and the same as runs.parquet.

    >>> with TemporaryDirectory() as folder:
    ...     root = Path(folder)
    ...     (root / "1").mkdir()
    ...     _ = (root / "1" / "runs.csv").write_text("index,outcome\\n0,finished\\n1,diverged\\n")
    ...     write_runs(root, [PlannedPack("1", [], {"optimizer": "sgd"}, first=64, runs=2)])
    ...     print((root / "runs.csv").read_text().strip())
    index,pack,run,optimizer,outcome
    64,1,0,sgd,finished
    65,1,1,sgd,diverged
    """
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
    """Inserts each of the `others` that is new to `columns` after the one that it follows in `others`.

    >>> columns = ["index", "seed", "outcome"]
    >>> weave(columns, ["index", "optimizer.lr", "outcome"])
    >>> columns
    ['index', 'optimizer.lr', 'seed', 'outcome']
    """
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
    """What to type for a sweep to go on, and what that does.

    >>> resume_step(Path("outputs/my sweep"))
    "packtrain 'resume=outputs/my sweep' trains what is left"
    """
    return f"packtrain {shlex.quote(f'resume={shown(root)}')} trains what is left"
