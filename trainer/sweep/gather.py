"""The results of a sweep: one table and one result.json of all its packs."""

import csv
import itertools
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyarrow import parquet

from ...kernels.common.errors import UserError
from ..console.next_steps import shown
from ..data.foreign import UNREADABLE
from ..engines.rows import Row, Rows
from ..folder import seconds
from ..folder.atomic import replace
from ..folder.curves import FILE as CURVES
from ..folder.curves import read_curves, write_curves
from ..folder.objective import Objective, common
from ..folder.plan import Plan, PlannedPack, read_result
from ..folder.ranking import LISTED_BEST, LISTED_RUNS, best_first, best_run, counted, nested
from ..folder.remarks import over_seeds
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
        result = summary(ended, results, plan.objective, rows_of(root, ended))
        return checked(Stored(root, result, lines, plan))
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


def summary(
    packs: list[PlannedPack],
    results: Mapping[str, Result],
    objective: Objective | None,
    rows: Sequence[Row],
) -> Result:
    """The result.json of a sweep: what its `packs` have in common or in all, and the best of their runs.

    `results` are those of the packs by folder, `rows` the runs of all. Without an `objective` the packs' own
    ranks the runs, where they have the same, else the loss.

    >>> summary([], {}, None, [])["packs"]
    0
    """
    of_packs = [results[pack.folder] for pack in packs]
    outcomes = sum((Counter(result["outcomes"]) for result in of_packs), Counter()).elements()
    objective = objective or common(of_packs, rows)
    total = {name: sum(result[name] for result in of_packs) for name in ADDED}
    spent = [result["seconds"] for result in of_packs]
    ranked = best_first(rows, objective)
    best = best_run(ranked, objective)
    listed = rows if total["runs"] <= LISTED_RUNS else ranked[:LISTED_BEST]
    whole = {row["index"]: row for pack in packs for row in _listed(pack, results[pack.folder]["run"])}
    return {
        **{name: ", ".join(dict.fromkeys(result[name] for result in of_packs)) for name in NAMED},
        "why": "; ".join(dict.fromkeys(filter(None, (result.get("why") for result in of_packs)))),
        "packs": len(packs),
        **total,
        "seconds": {name: round(sum(part.get(name, 0.0) for part in spent), 3) for name in seconds.NAMES},
        "outcomes": counted(outcomes),
        "objective": objective.as_data,
        "best_run": best,
        **_confusion(packs, results, best),
        **over_seeds(rows, objective),
        "run": [whole.get(row["index"], row) for row in listed],
    }


def _confusion(packs: list[PlannedPack], results: Mapping[str, Result], best: int | None) -> Result:
    """{"confusion": ...} of the sweep's best run, where its pack counted it as its own best; else {}."""
    for pack in packs:
        confusion = results[pack.folder].get("confusion")
        if confusion and best == pack.first + confusion["run"]:
            return {"confusion": {**confusion, "run": best}}
    return {}


def _listed(pack: PlannedPack, rows: list[Result]) -> Iterator[Result]:
    """A pack's rows as rows of the sweep."""
    for row in rows:
        place = {"index": pack.first + row["index"], "pack": pack.folder}
        yield {**row, **place, "values": {**pack.values, **row["values"]}}


def rows_of(root: Path, packs: Sequence[PlannedPack]) -> Rows:
    """The runs of these packs as rows of the sweep, without the reports of fits, read from their runs.csv.

    >>> with TemporaryDirectory() as folder:
    ...     root = Path(folder)
    ...     (root / "1").mkdir()
    ...     line = "index,seed,outcome,message,steps,loss.train.first,loss.train.last,loss.validation\\n"
    ...     _ = (root / "1" / "runs.csv").write_text(f"{line}0,7,finished,,9,4.0,1.0,\\n")
    ...     row = rows_of(root, [PlannedPack("1", [], {"optimizer": "sgd"}, first=64, runs=1)])[0]
    ...     row["index"], row["values"], row["loss"]["train"]["last"]
    (64, {'optimizer': 'sgd', 'seed': 7}, 1.0)
    """
    names: list[str] = []
    parts = [_columns(root, pack) for pack in packs]
    for part in parts:
        weave(names, list(part))
    absent = [[None] * len(part["index"]) for part in parts]
    columns = {
        name: list(itertools.chain(*(part.get(name, none) for part, none in zip(parts, absent, strict=True))))
        for name in names
    }
    return Rows({**nested(columns), "pack": columns["pack"]} if columns else {"index": []})


def _columns(root: Path, pack: PlannedPack) -> dict[str, list[Any]]:
    """The columns of a pack's runs.csv, with each run's place in the sweep and its structure."""
    columns = read_table(root / pack.folder / "runs.csv").to_pydict()
    runs = columns.pop("index")
    place = {"index": [pack.first + run for run in runs], "pack": [pack.folder] * len(runs)}
    return {**place, **{field: [value] * len(runs) for field, value in pack.values.items()}, **columns}


def write_runs(root: Path, packs: list[PlannedPack]) -> None:
    """Writes runs.csv, a row for each run of the `packs`, the same as runs.parquet, and all their curves.

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
    curves = [read_curves(root / pack.folder).counted_from(pack.first).table for pack in packs]
    if any(map(len, curves)):
        replace(root / CURVES, lambda file: write_curves(file, curves))


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
