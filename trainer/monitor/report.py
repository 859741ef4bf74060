"""The closing table: how the runs ended, what they learned, and where to look next."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from trainer.monitor.fit_report import (
    correlation_table,
    fit_lines,
    number,
    parameters_table,
    starts_line,
    uncertain,
)
from trainer.rows import Objective, best_first, objective_in

SHOWN_RUNS = 10
WORTH_A_LINE = 0.05  # seconds of compiling


def closing_table(console: Console, result: Mapping[str, Any], rows: list[dict], folder: Path) -> None:
    """Prints what `result.json` says, for a person: one run in full, or the best of many."""
    results_table(console, result, rows)
    folder = shown(folder)
    steps = {
        "results": str(folder),
        "watch": f"tensorboard --logdir {shlex.quote(str(folder / 'tensorboard'))}",
        "use": f"trainer.load({str(folder)!r}).predict(inputs)",
    }
    if result.get("interrupted"):
        steps["resume"] = f"packtrain {shlex.quote(f'resume={folder}')} trains what is left"
    next_steps(console, **steps)


def results_table(console: Console, result: Mapping[str, Any], rows: list[dict]) -> None:
    """The headline, and the best of its runs; `rows` are all of them, or the best."""
    console.print()
    head_lines(console, result)
    objective = objective_in(result)
    ranked = best_first(rows, objective)
    if result["runs"] == 1:
        for table in _one(ranked[0], console.width):
            console.print(table)
    elif ranked:
        console.print(runs_table(ranked[:SHOWN_RUNS], console.width, objective))
        for note in ranked[0].get("fit", {}).get("notes", []):
            _print_plain(console, f"  run {ranked[0]['index']}: {note}")
    if result["runs"] > SHOWN_RUNS:
        _print_plain(console, f"  the best {SHOWN_RUNS} of {result['runs']:,} runs; runs.csv has all")
    if found := result.get("multi_start"):
        _print_plain(console, f"  starts  {starts_line(found)}")


def pack_line(console: Console, result: Mapping[str, Any], folder: Path) -> None:
    """What one of the packs of a sweep came to."""
    _print_plain(console, f"{headline(result)}: {shown(folder)}")


def next_steps(console: Console, **steps: str) -> None:
    """Where the results are, and what to type next."""
    for label, text in steps.items():
        _print_plain(console, f"{label:>8}  {text}")


def shown(folder: Path) -> Path:
    """`folder` as one types it here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _print_plain(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def head_lines(console: Console, result: Mapping[str, Any]) -> None:
    """The headline, and what compiling took beside it."""
    _print_plain(console, headline(result))
    compiled = result["seconds"].get("compile") or 0.0
    if compiled >= WORTH_A_LINE:
        _print_plain(console, f"  and {compiled:.1f} s for compiling, once for these equations or widths")


def headline(result: Mapping[str, Any]) -> str:
    """One line: what ran, how it ended, how fast."""
    outcomes = ", ".join(f"{n:,} {word}" for word, n in result["outcomes"].items())
    runs = "1 run" if result["runs"] == 1 else f"{result['runs']:,} runs"
    packs = f"{result['packs']:,} packs, " if result.get("packs", 1) > 1 else ""
    steps = "1 step" if result["steps"] == 1 else f"{result['steps']:,} steps"
    seconds = result["seconds"]["train"]
    speed = result["samples"] / max(seconds, 1e-9)
    return (
        f"{result['experiment']}: {packs}{runs} ({outcomes}); {steps}, "
        f"{result['samples']:,} samples in {seconds:.1f} s ({speed:.3g} samples/s) "
        f"on {result['device']}, {result['precision']}"
    )


def _one(row: dict, width: int) -> Iterator[Table]:
    """One run in full; a fit has tables of its parameters and their correlations of their own."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    is_fit = "fit" in row
    for label, text in _cells(row).items():
        if not (is_fit and label in row["parameters"]):
            table.add_row(label, text)
    for label, text in fit_lines(row) if is_fit else ():
        table.add_row(label, text)
    table.add_row("outcome", f"{row['outcome']}: {row['message']}")
    if is_fit and row["parameters"]:
        yield parameters_table(row)
        if correlations := correlation_table(row, width):
            yield correlations
    yield table


def runs_table(rows: list[dict], width: int, objective: Objective | None = None) -> Table:
    """A line a run, with as many columns as fit, the first ones before the last."""
    table, shown = Table(box=box.SIMPLE), []
    mixed = len({row["outcome"] for row in rows}) > 1
    cells = [_line(row, mixed, objective) for row in rows]
    width -= 2  # the edges
    for label in dict.fromkeys(label for each in cells for label in each):
        texts = [each.get(label, "-") for each in cells]
        width -= max(map(len, [label, *texts])) + 3
        if width < 0:
            break
        table.add_column(label, justify="right", no_wrap=True)
        shown.append(texts)
    for line in zip(*shown, strict=True):
        table.add_row(*line)
    return table


def _line(row: dict, mixed: bool, objective: Objective | None) -> dict[str, str]:
    """The cells of a run, what matters most first; its outcome only where outcomes are `mixed`."""
    cells = _cells(row)
    by = objective.name if objective else "loss"
    others = [name for name in row["metrics"] if by != f"metrics.{name}"]
    after = ["loss after"] if "validation" in cells and by != "loss.train" else []  # it doesn't rank the runs
    less = {name: cells.pop(name) for name in (*after, *others, "loss before")}
    outcome = {"outcome": row["outcome"]} if mixed else {}
    return {"run": str(row["index"])} | outcome | cells | less


def _cells(row: dict) -> dict[str, str]:
    train = row["loss"]["train"]
    cells = {path: number(value) for path, value in row["values"].items()}
    cells |= {"loss before": number(train["first"]), "loss after": number(train["last"])}
    if row["loss"]["validation"] is not None:
        cells["validation"] = number(row["loss"]["validation"])
    cells |= {name: number(value) for name, value in row["metrics"].items()}
    return cells | {name: uncertain(each["value"], each) for name, each in row["parameters"].items()}
