"""What a sweep ends with: its table, its picture, and what is printed."""

import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from ...kernels.common.errors import UserError
from ..console.next_steps import next_steps, shown, watch_steps
from ..console.report import results_table
from ..console.tables import Column, new_console, print_columns
from ..folder.atomic import replace_json
from ..folder.experiment import read_pack
from ..folder.objective import objective_in
from ..folder.plan import Plan, read_result, unfinished
from ..folder.ranking import no_best
from ..folder.settings import settings_of
from ..folder.stored import read_stored
from ..folder.table import write_settings
from ..pictures.confusion import draw_best
from ..pictures.drawn import Clock, draw_best_run, draw_runs_together
from ..pictures.ranked import Ranked
from ..pictures.style import can_draw
from .board import write_board
from .gather import Result, ended_packs, resume_step, rows_of, summary, write_runs

log = logging.getLogger(__name__)
CUT_SHORT = "its process ended without results"
HEADINGS = "failed pack", "", "because"  # of the table of packs that failed


def report(root: Path, plan: Plan, reasons: Mapping[str, str], otherwise: str = "") -> bool:
    """Writes runs.csv, runs.parquet and result.json into `root`, and prints them -> whether packs failed.

    Where matplotlib is installed there are pictures too. `reasons` maps the folders of packs whose jobs
    failed to why they did; `otherwise` is why others have no results, where that is known.

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
    result = write_results(root, plan, reasons, otherwise)
    drawn = draw_sweep_pictures(root, plan) if result["packs"] else {}
    try:
        write_board(root, plan, result, drawn)
    except (OSError, UserError) as error:
        _say(f"TensorBoard lacks the sweep's runs ({error}); the results are written")
    _print(new_console(), root, plan, result)
    return bool(result["failed"])


def write_results(root: Path, plan: Plan, reasons: Mapping[str, str], otherwise: str = "") -> Result:
    """Writes runs.csv, runs.parquet and result.json of the packs that have ended into `root` -> the last.

    `reasons` and `otherwise` are as of `report`.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.folder.command import Command
    >>> with TemporaryDirectory() as root:
    ...     write_results(Path(root), Plan(Command("train", [], [], "."), [], []), {})["packs"]
    0
    """
    ended, results = ended_packs(root, plan)
    failed = list(_failures(plan, results, reasons, otherwise or CUT_SHORT))
    rows = rows_of(root, ended)
    result: Result = summary(ended, results, plan.objective, rows) | {"failed": failed}
    if ended:
        write_runs(root, ended)
    write_settings(root, settings_of(rows, objective_in(result)))
    replace_json(root / "result.json", result)
    return result


def draw_sweep_pictures(root: Path, plan: Plan) -> dict[str, Path]:
    """Draws all runs of a sweep together, and what there is to see of the best -> the files by their kinds.

    Nothing is drawn without matplotlib, or where the packs' config says monitor.pictures=false, as
    monitor=quiet does; what goes wrong is said.

    >>> from packtrain.trainer.folder.command import Command
    >>> draw_sweep_pictures(Path("nowhere"), Plan(Command("train", [], [], "."), [], []))
    {}
    """
    drawn: dict[str, Path] = {}
    try:
        if not can_draw() or not _wants_pictures(root, plan):
            return {}
        stored = read_stored(root)
        clock = Clock()
        drawn |= draw_runs_together(Ranked.of_folder(stored), root, _say, clock)
        drawn |= draw_best_run(stored, root, _say, clock)
        if draw_best(root):
            drawn["confusion"] = root / "confusion.png"
    except Exception as error:
        log.exception("pictures could not be drawn")
        _say(f"a picture could not be drawn ({error}); the results are written")
    return drawn


def _wants_pictures(root: Path, plan: Plan) -> bool:
    folders = [root / pack.folder for pack in plan.packs]
    return any(read_pack(folder).config.monitor.pictures for folder in folders if read_result(folder))


def _say(problem: str) -> None:
    print(f"packtrain: {problem}", file=sys.stderr)


def _failures(
    plan: Plan, results: Mapping[str, Result], reasons: Mapping[str, str], otherwise: str
) -> Iterator[Result]:
    """The packs without a run that can be used, and those whose jobs failed in the middle."""
    for pack in plan.packs:
        result = results[pack.folder]
        if not result:
            why = pack.refused or reasons.get(pack.folder) or otherwise
        elif result["interrupted"] and pack.folder in reasons:
            why = reasons[pack.folder]
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
    if unfinished(root, plan.packs):
        steps["resume"] = resume_step(root)
    next_steps(console, **steps)


def _failed(failed: list[Result]) -> list[Column]:
    """A line for each pack that failed."""
    texts = zip(*(pack.values() for pack in failed), strict=True)
    return [Column(label, text, "left") for label, text in zip(HEADINGS, texts, strict=True)]
