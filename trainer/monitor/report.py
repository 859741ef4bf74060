"""The closing table: how the runs ended, what they learned, and where to look next."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from trainer.results import best_first

SHOWN_RUNS = 10
SHOWN_PARAMETERS = 8


def closing_table(console: Console, result: Mapping[str, Any], rows: list[dict], folder: Path) -> None:
    """Prints what `result.json` says, for a person: one run in full, or the best of many."""
    console.print()
    console.print(_headline(result), highlight=False)
    shown = [row["index"] for row in best_first(rows)[:SHOWN_RUNS]]
    console.print(_one(rows[0]) if len(rows) == 1 else _many([rows[i] for i in shown]))
    if len(rows) > SHOWN_RUNS:
        console.print(f"The best {SHOWN_RUNS} of {len(rows):,} runs; all of them are in runs.csv.")
    for label, text in (
        ("results", str(folder)),
        ("watch", f"tensorboard --logdir {shlex.quote(str(folder / 'tensorboard'))}"),
        ("use", f"trainer.load({str(folder)!r}).predict(inputs)"),
    ):
        console.print(f"{label:>8}  {text}", highlight=False, soft_wrap=True, markup=False)


def _headline(result: Mapping[str, Any]) -> str:
    outcomes = ", ".join(f"{n:,} {word}" for word, n in result["outcomes"].items())
    runs = "1 run" if result["runs"] == 1 else f"{result['runs']:,} runs"
    seconds = result["seconds"]["train"]
    speed = result["samples"] / max(seconds, 1e-9)
    return (
        f"{result['experiment']}: {runs} ({outcomes}); {result['steps']:,} steps, "
        f"{result['samples']:,} samples in {seconds:.1f} s ({speed:.3g} samples/s) "
        f"on {result['device']}, {result['precision']}"
    )


def _one(row: dict) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for label, text in _cells(row, None).items():
        table.add_row(label, text)
    table.add_row("outcome", f"{row['outcome']}: {row['message']}")
    return table


def _many(rows: list[dict]) -> Table:
    table = Table(box=box.SIMPLE)
    cells = [
        {"run": str(row["index"])} | _cells(row, SHOWN_PARAMETERS) | {"outcome": row["outcome"]}
        for row in rows
    ]
    for label in cells[0]:
        table.add_column(label, justify="left" if label == "outcome" else "right")
    for each in cells:
        table.add_row(*each.values())
    return table


def _cells(row: dict, parameters: int | None) -> dict[str, str]:
    train = row["loss"]["train"]
    cells = {path: _number(value) for path, value in row["values"].items()}
    cells |= {"loss before": _number(train["first"]), "loss after": _number(train["last"])}
    if row["loss"]["validation"] is not None:
        cells["validation"] = _number(row["loss"]["validation"])
    cells |= {name: _number(value) for name, value in row["metrics"].items()}
    fitted = list(row["parameters"].items())[:parameters]
    return cells | {name: _number(each["value"]) for name, each in fitted}


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
