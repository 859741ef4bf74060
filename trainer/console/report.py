"""The closing table: how the runs ended, what they learned, and where to look next."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..folder.ranking import Objective, Row, best_first, loss_of, objective_in
from .fit import fit_lines, number, print_parameters, starts_line, uncertain
from .tables import Column, blocks, filled, print_columns, print_pairs, print_plain

SHOWN_RUNS = 10
MOST_PARAMETERS = 20  # that stand in a table of runs whatever the room
MOST_NAMED = 6  # of the columns that have none
INDEX, BEFORE, AFTER = "index", "loss.train.first", "loss.train.last"  # columns of runs.csv
PARAMETERS = "parameters."
LABELS = {
    INDEX: "run",
    "outcome": "outcome",
    BEFORE: "loss before",
    AFTER: "loss after",
    "loss.validation": "validation",
}
WORTH_A_LINE = 0.05  # seconds of compiling


def closing_table(console: Console, result: Mapping[str, Any], rows: list[dict], folder: Path) -> None:
    """Prints what `result.json` says, for a person: one run in full, or the best of many."""
    results_table(console, result, rows)
    folder = shown(folder)
    steps = {
        "results": str(folder),
        "watch": f"tensorboard --logdir {shlex.quote(str(folder / 'tensorboard'))}",
        "use": f"packtrain.load({str(folder)!r}).predict(inputs)",
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
        _print_one(console, ranked[0])
    elif ranked:
        print_runs(console, ranked[:SHOWN_RUNS], objective)
        for note in ranked[0].get("fit", {}).get("notes", []):
            print_plain(console, f"  run {ranked[0]['index']}: {note}")
    if result["runs"] > SHOWN_RUNS:
        print_plain(console, f"  the best {SHOWN_RUNS} of {result['runs']:,} runs; runs.csv has all")
    if found := result.get("multi_start"):
        print_plain(console, f"  starts  {starts_line(found)}")


def pack_line(console: Console, result: Mapping[str, Any], folder: Path) -> None:
    """What one of the packs of a sweep came to."""
    print_plain(console, f"{headline(result)}: {shown(folder)}")


def next_steps(console: Console, **steps: str) -> None:
    """Where the results are, and what to type next."""
    for label, text in steps.items():
        print_plain(console, f"{label:>8}  {text}")


def shown(folder: Path) -> Path:
    """`folder` as one types it here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def head_lines(console: Console, result: Mapping[str, Any]) -> None:
    """The headline, and what compiling took beside it."""
    print_plain(console, headline(result))
    compiled = result["seconds"].get("compile") or 0.0
    if compiled >= WORTH_A_LINE:
        print_plain(console, f"  and {compiled:.1f} s for compiling, once for these equations or widths")


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


def _print_one(console: Console, row: Row) -> None:
    """One run in full; a fit has tables of its parameters and their correlations of their own."""
    cells, is_fit = _cells(row), "fit" in row
    if is_fit and row["parameters"]:
        print_parameters(console, row)
        cells = {key: text for key, text in cells.items() if not key.startswith(PARAMETERS)}
    told = [(label, cells[key]) for key, label in labels(cells).items()]
    told += fit_lines(row) if is_fit else ()
    print_pairs(console, [*told, ("outcome", f"{row['outcome']}: {row['message']}")])


def print_runs(
    console: Console, rows: Sequence[Row], objective: Objective | None = None, asked: Sequence[Row] = ()
) -> None:
    """A line a run, and the columns that were `asked` for (their values in each row) first.

    They stay, as do what varies, what ranks the runs and up to MOST_PARAMETERS parameters: what has no room
    goes on below. Other columns are shown where there is room, and else named.
    """
    mixed = len({row["outcome"] for row in rows}) > 1
    by = (objective or loss_of(rows)).column
    lines = [_line(row, mixed, by, more) for row, more in zip(rows, asked or [{}] * len(rows), strict=True)]
    called = labels(key for line in lines for key in line)
    columns = {key: Column(label, [line.get(key, "-") for line in lines]) for key, label in called.items()}
    lasting = {by, *_lasting(rows[0]), *(key for more in asked for key in more)}
    first, width = columns.pop(INDEX), console.width
    *above, last = blocks(first, [each for key, each in columns.items() if key in lasting], width)
    others = [each for key, each in columns.items() if key not in lasting]
    shown = filled(last, others, width)
    for block in (*above, shown):
        print_columns(console, block)
    if left := others[len(shown) - len(last) :]:
        print_plain(console, f"  no room for {_named(left)}: packtrain show FOLDER | less -S has all columns")


def _lasting(row: Row) -> Iterator[str]:
    """The columns that are shown whatever the room, beside those that are asked for."""
    yield from ("outcome", *row["values"])
    if len(row["parameters"]) <= MOST_PARAMETERS:
        yield from (f"{PARAMETERS}{name}" for name in row["parameters"])


def _named(columns: Sequence[Column]) -> str:
    """The first of their labels, and how many more there are."""
    told = [each.label for each in columns[:MOST_NAMED]]
    return ", ".join([*told, *([f"{len(columns) - MOST_NAMED} more"] if len(columns) > MOST_NAMED else [])])


def _line(row: Row, mixed: bool, by: str, asked: Row) -> dict[str, str]:
    """The cells of a run, what matters most first; its outcome only where outcomes are `mixed`."""
    cells = _cells(row)
    others = [key for key in cells if key.startswith("metrics.") and key != by]
    after = [AFTER] if "loss.validation" in cells and by != AFTER else []  # it doesn't rank the runs
    less = {key: cells.pop(key) for key in (*after, *others, BEFORE)}
    outcome = {"outcome": row["outcome"]} if mixed else {}
    wanted = {key: number(value) for key, value in asked.items()}
    return {INDEX: str(row["index"])} | outcome | wanted | cells | less


def _cells(row: Row) -> dict[str, str]:
    """What a person looks at, by its column in runs.csv."""
    train = row["loss"]["train"]
    cells = {path: number(value) for path, value in row["values"].items()}
    cells |= {BEFORE: number(train["first"]), AFTER: number(train["last"])}
    if row["loss"]["validation"] is not None:
        cells["loss.validation"] = number(row["loss"]["validation"])
    cells |= {f"metrics.{name}": number(value) for name, value in row["metrics"].items()}
    fitted = row["parameters"].items()
    return cells | {f"{PARAMETERS}{name}": uncertain(each["value"], each) for name, each in fitted}


def labels(columns: Iterable[str]) -> dict[str, str]:
    """What each column of runs.csv is called here: its own name where a short one would not be its alone."""
    short = {each: each.removeprefix("metrics.").removeprefix(PARAMETERS) for each in columns}
    taken = Counter([*short.values(), *LABELS.values()])
    return {each: LABELS.get(each) or (name if taken[name] == 1 else each) for each, name in short.items()}
