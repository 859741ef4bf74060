"""`packtrain show FOLDER`: the runs of a training or a sweep, sorted and filtered, or one of them whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernels.errors import UserError
from trainer.arguments import check_column, condition, read_arguments
from trainer.monitor.fit_report import number
from trainer.monitor.report import head_lines, next_steps, runs_table
from trainer.rows import Objective, Row, lines_best_first, nested, objective_in
from trainer.search.gather import resume_step, so_far
from trainer.search.plan import Plan, has_ended, read_plan, state
from trainer.stored import Stored, read_stored, run_config

USAGE = (
    "packtrain show FOLDER [COLUMN=VALUE]... ['COLUMN<VALUE']... [sort=COLUMN] [sort=-COLUMN] [limit=N] "
    "[run=N]"
)
LIMIT = "20"


def show(arguments: Sequence[str]) -> None:
    """Prints what `packtrain show ARGUMENTS` asks for. Raises UserError."""
    folder, options, conditions = read_arguments(arguments, USAGE, ("sort", "limit", "run"))
    plan, console = read_plan(folder), Console(markup=False)
    underway = plan if plan and not has_ended(folder, plan) else None
    stored = so_far(folder, underway) if underway else read_stored(folder)
    if "run" in options:
        _show_run(console, stored, options["run"])
        return
    if stored.lines:
        _list(console, stored, options, conditions)
    if underway:
        console.print(_packs_table(folder, underway))
        next_steps(console, resume=resume_step(folder))


def _list(console: Console, stored: Stored, options: Mapping[str, str], conditions: Sequence[str]) -> None:
    """The runs that are asked for, in their order."""
    objective = objective_in(stored.result)
    lines = _ordered(_chosen(stored.lines, conditions), options.get("sort"), objective)
    shown = [nested(line) for line in lines[: _limit(options.get("limit", LIMIT))]]
    head_lines(console, stored.result)
    if shown:
        console.print(runs_table(shown, console.width, objective))
    if conditions:
        console.print(f"  {len(lines):,} of {len(stored.lines):,} runs match", highlight=False)
    if len(shown) < len(lines):
        console.print(f"  the first {len(shown):,}; limit=all shows all {len(lines):,}", highlight=False)


def _packs_table(folder: Path, plan: Plan) -> Table:
    """A line a pack, with its state."""
    table = Table(box=box.SIMPLE)
    for label in ("pack", "", "runs", "state"):
        table.add_column(label, overflow="fold")
    for pack in plan.packs:
        name = pack.name if pack.name.isprintable() else repr(pack.name)
        table.add_row(*map(Text, (pack.folder, name, f"{pack.runs:,}", state(folder, pack))))
    return table


def _chosen(lines: list[Row], conditions: Sequence[str]) -> list[Row]:
    holds = [condition(each, list(lines[0])) for each in conditions]
    return [line for line in lines if all(each(line) for each in holds)]


def _ordered(lines: list[Row], asked: str | None, objective: Objective | None) -> list[Row]:
    """By the column `asked` for, upwards, or downwards with a minus; without one the best first."""
    if asked is None:
        return lines_best_first(lines, objective)
    column = asked.removeprefix("-")
    if lines:
        check_column(column, list(lines[0]))
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
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for column, value in line.items():
        if value not in (None, ""):
            table.add_row(column, Text(number(value)))
    console.print(table)
    console.print("config", style="bold")
    text = OmegaConf.to_yaml(run_config(folder, place))
    console.print(Text(text), soft_wrap=True)
    use = f"trainer.load({str(folder)!r}).predict(inputs, run={place})"
    console.print(f"{'use':>8}  {use}", highlight=False, soft_wrap=True, markup=False)
