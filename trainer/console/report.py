"""The closing table: how the runs ended, what they learned, and where to look next.

`result` is the content of a result.json, a row is one of its runs.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..folder.digits import number
from ..folder.objective import Objective, loss_of, objective_in
from ..folder.ranking import BEST_STEP, Row, best_first
from ..folder.tested import TEST, TEST_LOSS, flat_test
from .confusion import print_confusion
from .fit import fit_lines, print_parameters, shared_line, starts_line
from .many import print_many
from .next_steps import next_steps, shown, watch_steps
from .runs import PARAMETERS, cells_of, labels, print_runs
from .settings import Described, print_settings
from .tables import print_pairs, print_plain

SHOWN_RUNS = 10
WORTH_A_LINE = 0.05  # seconds of compiling


def closing_table(console: Console, result: Mapping[str, Any], rows: Sequence[Row], folder: Path) -> None:
    """Prints a result for a person, of one run in full or of the best of many, and what to type next.

    >>> from packtrain.trainer.console.tables import new_console
    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 0, "values": {}, "loss": loss, "metrics": {}, "parameters": {}}
    >>> row |= {"outcome": "finished", "message": "trained all of its 2 steps"}
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"finished": 1}, "steps": 2, "samples": 128}
    >>> result |= {"seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"}
    >>> closing_table(new_console(), result, [row], Path("out"))  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
    debug: 1 run (1 finished); 2 steps, 128 samples in 2.0 s (64 samples/s) on cpu, fp32
    <BLANKLINE>
      loss before   4
      loss after    0.5
      outcome       finished: trained all of its 2 steps
    <BLANKLINE>
     results  out
       watch  packtrain board out
         use  packtrain.load('out').predict(inputs)
    """
    results_table(console, result, rows)
    folder = shown(folder)
    steps = {
        "results": str(folder),
        **watch_steps(folder, result["runs"]),
        "use": f"packtrain.load({str(folder)!r}).predict(inputs)",
    }
    if result.get("interrupted"):
        steps["resume"] = f"packtrain {shlex.quote(f'resume={folder}')} trains what is left"
    next_steps(console, **steps)


def results_table(console: Console, result: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Prints the headline, and the best of the `rows`, which are those of all runs, or the best in order.

    >>> from packtrain.trainer.console.tables import new_console
    >>> loss = {"train": {"first": 4.0, "last": 0.5}, "validation": None}
    >>> row = {"index": 0, "values": {}, "loss": loss, "metrics": {"mae": 0.25}, "parameters": {}}
    >>> row |= {"outcome": "stopped early", "message": "SIGINT came"}
    >>> result = {"experiment": "debug", "runs": 1, "outcomes": {"stopped early": 1}, "steps": 2}
    >>> result |= {"samples": 128, "seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"}
    >>> results_table(new_console(), result, [row])  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
    debug: 1 run (1 stopped early); 2 steps, 128 samples in 2.0 s (64 samples/s) on cpu, fp32
    <BLANKLINE>
      loss before   4
      loss after    0.5
      mae           0.25
      outcome       stopped early: SIGINT came
    <BLANKLINE>
    """
    console.print()
    head_lines(console, result)
    objective = objective_in(result)
    ranked = rows if len(rows) < result["runs"] else best_first(rows, objective)
    many, settings = result.get("fits"), result.get("settings", [])
    if result["runs"] == 1:
        _print_one(console, ranked[0])
    elif many:
        print_many(console, many)
    elif ranked:
        _print_best(console, result, ranked, objective)
        for note in [*ranked[0].get("notes", []), *ranked[0].get("fit", {}).get("notes", [])]:
            print_plain(console, f"  run {ranked[0]['index']}: {note}")
        _print_test(console, ranked[0])
    if joint := result.get("joint_fit"):
        print_plain(console, f"  shared  {shared_line(result['shared'], joint)}")
    print_confusion(console, result.get("confusion"))
    if many:
        print_plain(console, f"  runs.csv and runs.parquet have all {result['runs']:,} runs")
    elif len(settings) > 1:
        count = result["setting_count"]
        print_plain(
            console, f"  settings.csv has all {count:,} settings, runs.csv all {result['runs']:,} runs"
        )
    elif result["runs"] > SHOWN_RUNS:
        print_plain(console, f"  the best {SHOWN_RUNS} of {result['runs']:,} runs; runs.csv has all")
    if multi_start := result.get("multi_start"):
        print_plain(console, f"  starts  {starts_line(multi_start)}")


def _print_best(
    console: Console, result: Mapping[str, Any], ranked: Sequence[Row], objective: Objective | None
) -> None:
    """Prints the best settings, and the best run of the first; where settings aren't ranked the best runs."""
    settings, said = result.get("settings", []), result.get("remarks", [])
    if len(settings) > 1:
        print_best_settings(console, settings, objective or loss_of(ranked))
        print_remarks(console, said)
        print_plain(console, "  the best run of setting 1:")
        print_runs(console, ranked[:1], objective)
    else:
        print_runs(console, ranked[:SHOWN_RUNS], objective)
        print_remarks(console, said)


def print_remarks(console: Console, sentences: Sequence[str]) -> None:
    """Prints a line for each sentence.

    >>> from packtrain.trainer.console.tables import new_console
    >>> print_remarks(new_console(), ["the best optimizer.lr, 0.1, is the largest that was tried"])
      the best optimizer.lr, 0.1, is the largest that was tried
    """
    for sentence in sentences:
        print_plain(console, f"  {sentence}")


def print_best_settings(
    console: Console, settings: Sequence[Described], objective: Objective, limit: int | None = SHOWN_RUNS
) -> None:
    """Prints the first of the settings, each as in result.json.

    >>> from packtrain.trainer.console.tables import new_console
    >>> setting = {"values": {}, "mean": 0.5, "stderr": None, "best": 0.5, "worst": 0.5, "runs": 1}
    >>> setting |= {"usable": 1, "best_run": 3, "metrics": {}}
    >>> loss = Objective("loss.train")
    >>> print_best_settings(new_console(), [setting], loss)  # doctest: +NORMALIZE_WHITESPACE
    <BLANKLINE>
      setting   mean loss after   seeds   best run   best   worst
     ─────────────────────────────────────────────────────────────
            1               0.5       1          3    0.5     0.5
    <BLANKLINE>
    """
    print_settings(console, settings[:limit], labels([objective.column])[objective.column])


def _print_test(console: Console, row: Row) -> None:
    """Prints what the best run is worth on the test part, if there is one."""
    if cells := flat_test(row):
        texts = [f"{name.removeprefix(TEST)} {number(value)}" for name, value in cells.items()]
        texts[0] = f"loss {number(cells[TEST_LOSS])}"
        print_plain(console, f"  test    run {row['index']}: {', '.join(texts)}")


def pack_line(console: Console, result: Mapping[str, Any], folder: Path) -> None:
    """Prints one line about a pack of a sweep: its headline, and where its folder is.

    >>> from packtrain.trainer.console.tables import new_console
    >>> result = {"experiment": "debug", "runs": 3, "outcomes": {"finished": 3}, "steps": 1, "samples": 96}
    >>> result |= {"seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"}
    >>> pack_line(new_console(), result, Path("sweep/0"))
    debug: 3 runs (3 finished); 1 step, 96 samples in 2.0 s (48 samples/s) on cpu, fp32: sweep/0
    """
    print_plain(console, f"{headline(result)}: {shown(folder)}")


def head_lines(console: Console, result: Mapping[str, Any]) -> None:
    """Prints the headline, what compiling took beside it, and why another engine trained than one expects.

    >>> from packtrain.trainer.console.tables import new_console
    >>> result = {"experiment": "debug", "runs": 3, "outcomes": {"finished": 3}, "steps": 1, "samples": 96}
    >>> result |= {"seconds": {"train": 2.0, "compile": 1.25}, "device": "cpu", "precision": "fp32"}
    >>> head_lines(new_console(), result)
    debug: 3 runs (3 finished); 1 step, 96 samples in 2.0 s (48 samples/s) on cpu, fp32
      and 1.2 s for compiling, once
    """
    print_plain(console, headline(result))
    compiled = result["seconds"].get("compile") or 0.0
    if compiled >= WORTH_A_LINE:
        print_plain(console, f"  and {compiled:.1f} s for compiling, once")
    if why := result.get("why"):
        print_plain(console, f"  trained with engine={result['engine']} by {result['backend']}, {why}")


def headline(result: Mapping[str, Any]) -> str:
    """One line: what ran, how it ended, how fast.

    >>> result = {"experiment": "debug", "runs": 3, "outcomes": {"finished": 3}, "steps": 1, "samples": 96}
    >>> headline(result | {"seconds": {"train": 2.0}, "device": "cpu", "precision": "fp32"})
    'debug: 3 runs (3 finished); 1 step, 96 samples in 2.0 s (48 samples/s) on cpu, fp32'
    """
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
    """Prints one run in full; of a fit, the parameters and their correlations have tables of their own."""
    cells, is_fit = cells_of(row), "fit" in row
    if is_fit and row["parameters"]:
        print_parameters(console, row)
        cells = {key: text for key, text in cells.items() if not key.startswith(PARAMETERS)}
    if row.get(BEST_STEP) is not None:
        cells[BEST_STEP] += ", whose parameters are kept"
    cells |= {key: number(value) for key, value in flat_test(row).items()}
    pairs = [(label, cells[key]) for key, label in labels(cells).items()]
    pairs += [("note", note) for note in row.get("notes", [])]
    pairs += fit_lines(row) if is_fit else ()
    print_pairs(console, [*pairs, ("outcome", f"{row['outcome']}: {row['message']}")])
