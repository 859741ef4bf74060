"""`packtrain show FOLDER`: the runs of a training or a sweep, sorted and filtered, or one of them whole."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..console.confusion import print_confusion
from ..console.next_steps import next_steps
from ..console.report import head_lines, print_best_settings, print_remarks
from ..console.runs import print_runs
from ..console.tables import Column, new_console, print_columns, print_pairs, print_plain
from ..folder.digits import number
from ..folder.experiment import experiment_of
from ..folder.objective import Objective, objective_in
from ..folder.plan import Plan, PlannedPack, has_ended, read_plan, state
from ..folder.ranking import Row, lines_best_first, nested
from ..folder.remarks import remarks
from ..folder.settings import settings_of
from ..folder.stored import Stored, read_stored, steps_made
from ..sweep.gather import resume_step, so_far
from .arguments import SHOW_OPTIONS
from .conditions import Condition, check_column, condition

UNDER_WAY = "running", "interrupted", "cut short"  # states of packs that have made steps


def show(
    folder: Path,
    conditions: Sequence[str] = (),
    sort: str | None = None,
    limit: int | None = 20,
    run: str | None = None,
) -> None:
    """Prints the runs in `folder` for which the `conditions` hold, or one `run` whole: its index, or 'best'.

    Runs are sorted by the column `sort`, downwards with a minus, else the best first; without a `limit` all
    are printed. Raises UserError.

    >>> show(Path("nowhere"), sort="seed")
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: nowhere holds no finished training or sweep: ...
    """
    plan, console = read_plan(folder), new_console()
    underway = plan if plan and not has_ended(folder, plan) else None
    stored = so_far(folder, underway) if underway else read_stored(folder)
    if run is not None:
        _show_run(console, stored, run)
        return
    if stored.lines:
        columns = list(stored.lines[0])
        _list(console, stored, [condition(text, columns, SHOW_OPTIONS) for text in conditions], sort, limit)
    if underway:
        print_columns(console, _packs(folder, underway))
        next_steps(console, resume=resume_step(folder))


def _list(
    console: Console, stored: Stored, conditions: Sequence[Condition], sort: str | None, limit: int | None
) -> None:
    """The runs for which the conditions hold, in their order."""
    objective = objective_in(stored.result)
    chosen = [line for line in stored.lines if all(holds(line) for holds in conditions)]
    lines = _ordered(chosen, list(stored.lines[0]), sort, objective)
    shown = lines[:limit]
    head_lines(console, stored.result)
    if objective and sort is None:
        _print_settings(console, chosen, objective, limit, whole=not conditions)
    if shown:
        columns = [*([sort.removeprefix("-")] if sort else []), *(one.column for one in conditions)]
        wanted = [{column: line[column] for column in columns} for line in shown]
        print_runs(console, [nested(line) for line in shown], objective, wanted)
    if conditions:
        print_plain(console, f"  {len(lines):,} of {len(stored.lines):,} runs match")
    for sentence in filter(None, (one.why_none(stored.lines) for one in conditions)):
        print_plain(console, f"  {sentence}")
    if len(shown) < len(lines):
        print_plain(console, f"  the first {len(shown):,}; limit=all shows all {len(lines):,}")


def _print_settings(
    console: Console, lines: Sequence[Row], objective: Objective, limit: int | None, whole: bool
) -> None:
    """The settings of these runs, where there are several; and what they say where these are all runs."""
    rows = [nested(line) for line in lines]
    settings = settings_of(rows, objective)
    if len(settings) > 1:
        print_best_settings(console, [setting.as_data for setting in settings], objective, limit)
    if whole:
        print_remarks(console, remarks(rows, settings, objective))


def _packs(folder: Path, plan: Plan) -> list[Column]:
    """A line a pack, with its state."""
    names = [pack.name if pack.name.isprintable() else repr(pack.name) for pack in plan.packs]
    return [
        Column("pack", [pack.folder for pack in plan.packs], "left"),
        Column("", names, "left"),
        Column("runs", [f"{pack.runs:,}" for pack in plan.packs], "left"),
        Column("state", [_state(folder, pack) for pack in plan.packs], "left"),
    ]


def _state(root: Path, pack: PlannedPack) -> str:
    """How far a pack has come; of one with steps to go, also the step."""
    word = state(root, pack)
    step = steps_made(root / pack.folder) if word in UNDER_WAY else ""
    return f"{word}, {step}" if step else word


def _ordered(
    lines: list[Row], columns: Sequence[str], sort: str | None, objective: Objective | None
) -> list[Row]:
    """By the column `sort`, upwards, or downwards with a minus; without one the best first."""
    if sort is None:
        return lines_best_first(lines, objective)
    column = sort.removeprefix("-")
    check_column(column, columns)
    known = [line for line in lines if line[column] is not None]
    unknown = [line for line in lines if line[column] is None]
    return sorted(known, key=lambda line: line[column], reverse=sort.startswith("-")) + unknown


def _show_run(console: Console, stored: Stored, run: str) -> None:
    """All that is known of one run, and its config."""
    line = stored.line(run)
    folder, place = stored.place(line)
    print_pairs(
        console, [(column, number(value)) for column, value in line.items() if value not in (None, "")]
    )
    confusion = stored.result.get("confusion")
    if confusion and confusion["run"] == line["index"]:
        print_confusion(console, confusion)
    console.print("config", style="bold")
    console.print(Text(experiment_of(folder, place)), soft_wrap=True)
    use = f"packtrain.load({str(folder)!r}).predict(inputs, run={place})"
    next_steps(console, use=use)
