"""`packtrain show FOLDER`: the runs of a training or a sweep, sorted and filtered, or one of them whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ...kernels.common.errors import UserError
from ..console.fit import number
from ..console.report import head_lines, next_steps, print_runs
from ..console.tables import Column, new_console, print_columns, print_pairs, print_plain
from ..folder.experiment import experiment_of
from ..folder.plan import Plan, PlannedPack, has_ended, read_plan, state
from ..folder.ranking import Objective, Row, lines_best_first, nested, objective_in
from ..folder.stored import Stored, read_stored, steps_made
from ..sweep.gather import resume_step, so_far
from .arguments import check_column, condition, read_arguments

USAGE = (
    "packtrain show FOLDER [COLUMN=VALUE,VALUE]... ['COLUMN<VALUE']... [sort=COLUMN] [sort=-COLUMN] "
    "[limit=N] [run=N]"
)
LIMIT = "20"
UNDER_WAY = "running", "interrupted", "cut short"


def show(arguments: Sequence[str]) -> None:
    """Prints what `packtrain show ARGUMENTS` asks for. Raises UserError."""
    folder, options, conditions = read_arguments(arguments, USAGE, ("sort", "limit", "run"))
    plan, console = read_plan(folder), new_console()
    underway = plan if plan and not has_ended(folder, plan) else None
    stored = so_far(folder, underway) if underway else read_stored(folder)
    if "run" in options:
        _show_run(console, stored, options["run"])
        return
    if stored.lines:
        _list(console, stored, options, conditions)
    if underway:
        print_columns(console, _packs(folder, underway))
        next_steps(console, resume=resume_step(folder))


def _list(console: Console, stored: Stored, options: Mapping[str, str], given: Sequence[str]) -> None:
    """The runs that are asked for, in their order."""
    objective, sort = objective_in(stored.result), options.get("sort")
    conditions = [condition(each, list(stored.lines[0])) for each in given]
    chosen = [line for line in stored.lines if all(holds(line) for holds in conditions)]
    lines = _ordered(chosen, list(stored.lines[0]), sort, objective)
    shown = lines[: _limit(options.get("limit", LIMIT))]
    head_lines(console, stored.result)
    if shown:
        columns = [*([sort.removeprefix("-")] if sort else []), *(each.column for each in conditions)]
        asked = [{column: line[column] for column in columns} for line in shown]
        print_runs(console, [nested(line) for line in shown], objective, asked)
    if conditions:
        print_plain(console, f"  {len(lines):,} of {len(stored.lines):,} runs match")
    for none in filter(None, (each.why_none(stored.lines) for each in conditions)):
        print_plain(console, f"  {none}")
    if len(shown) < len(lines):
        print_plain(console, f"  the first {len(shown):,}; limit=all shows all {len(lines):,}")


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
    """How far it has come; of one with steps to go, also the step."""
    word = state(root, pack)
    step = steps_made(root / pack.folder) if word in UNDER_WAY else ""
    return f"{word}, {step}" if step else word


def _ordered(
    lines: list[Row], columns: Sequence[str], asked: str | None, objective: Objective | None
) -> list[Row]:
    """By the column `asked` for, upwards, or downwards with a minus; without one the best first."""
    if asked is None:
        return lines_best_first(lines, objective)
    column = asked.removeprefix("-")
    check_column(column, columns)
    known = [line for line in lines if line[column] is not None]
    unknown = [line for line in lines if line[column] is None]
    return sorted(known, key=lambda line: line[column], reverse=asked.startswith("-")) + unknown


def _limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit():
        raise UserError(f"limit is a number of runs, or all; got {text!r}")
    return int(text)


def _show_run(console: Console, stored: Stored, run: str) -> None:
    """All that is known of one run, and its config."""
    line = stored.line(run)
    folder, place = stored.place(line)
    print_pairs(
        console, [(column, number(value)) for column, value in line.items() if value not in (None, "")]
    )
    console.print("config", style="bold")
    console.print(Text(experiment_of(folder, place)), soft_wrap=True)
    use = f"packtrain.load({str(folder)!r}).predict(inputs, run={place})"
    next_steps(console, use=use)
