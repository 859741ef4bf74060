"""The rows of a result, one a run: nested as in result.json, flat as in runs.csv, and ranked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ..engines.rows import Names, Row, Rows, each, numbers
from .objective import Objective, loss_of
from .settings import order_of
from .tested import TEST, TEST_LOSS, flat_test

LISTED_RUNS = 100  # a larger pack's result.json holds the ten best; runs.csv holds all
LISTED_BEST = 10
CORRELATED = 20  # parameters up to which runs.csv has a column for each pair's correlation
PRUNED = "stopped at rung "  # what an outcome begins with
BEST_STEP = "best_step"  # of runs that keep their best parameters
PLACE = "index", "pack", "run"  # columns that say where a row belongs


def counted(outcomes: Iterable[str]) -> dict[str, int]:
    """How many there are of each outcome: the finished ones first, rung after rung last.

    >>> from packtrain.trainer.folder.ranking import counted
    >>> counted(["stopped at rung 2", "finished", "stopped at rung 1", "finished"])
    {'finished': 2, 'stopped at rung 1': 1, 'stopped at rung 2': 1}
    """
    counts = Counter(outcomes)
    return {word: counts[word] for word in sorted(counts, key=lambda w: (w != "finished", len(w), w))}


def best_first(rows: Sequence[Row], objective: Objective | None = None) -> Sequence[Row]:
    """The rows by the objective, where that is equal (and without one) by their loss; unusable runs last.

    Where the objective ranks settings over their seeds, the runs of the best setting come first.

    >>> from packtrain.trainer.folder.ranking import best_first
    >>> def row(index, loss, outcome="finished"):
    ...     losses = {"train": {"first": 4.0, "last": loss}, "validation": None}
    ...     return {"index": index, "outcome": outcome, "message": "", "steps": 9, "loss": losses}
    >>> [r["index"] for r in best_first([row(0, None, "diverged"), row(1, 2.0), row(2, 1.0)])]
    [2, 1, 0]
    """
    order = order_of(rows, objective)
    return rows.of(order) if isinstance(rows, Rows) else [rows[place] for place in order.tolist()]


def lines_best_first(lines: Sequence[Row], objective: Objective | None = None) -> list[Row]:
    """Lines of runs.csv, ranked as their rows are.

    >>> from packtrain.trainer.folder.ranking import lines_best_first
    >>> line = {"outcome": "finished", "message": "", "steps": 9, "loss.train.first": 4.0}
    >>> line |= {"loss.validation": None}
    >>> lines = [{"index": 0, **line, "loss.train.last": 2.0}, {"index": 1, **line, "loss.train.last": 1.0}]
    >>> [ranked["index"] for ranked in lines_best_first(lines)]
    [1, 0]
    """
    by_index = {line["index"]: line for line in lines}
    return [by_index[row["index"]] for row in best_first([nested(line) for line in lines], objective)]


def best_run(ranked: Sequence[Row], objective: Objective | None = None) -> int | None:
    """The index of the first of the ranked rows, None where it is of no use.

    >>> from packtrain.trainer.folder.ranking import best_run
    >>> loss = {"train": {"first": 4.0, "last": 1.0}, "validation": None}
    >>> best_run([{"index": 7, "outcome": "finished", "loss": loss}])
    7
    >>> best_run([{"index": 7, "outcome": "diverged", "loss": loss}]) is None
    True
    """
    usable = ranked and (objective or loss_of(ranked)).of(ranked[0]) is not None
    return ranked[0]["index"] if usable else None


def no_best(rows: Sequence[Row]) -> str:
    """Why no run is of use, and what may help.

    >>> from packtrain.trainer.folder.ranking import no_best
    >>> loss = {"train": {"first": 4.0, "last": 9.0}, "validation": None}
    >>> no_best([{"index": 0, "outcome": "diverged", "message": "at step 7", "steps": 7, "loss": loss}])
    'every run diverged: try a smaller optimizer.lr; run 0: at step 7'
    """
    outcomes = {*each(rows, "outcome")}
    if not np.isfinite(numbers(rows, "loss", "train", "first")).any():
        first = "no run has a finite loss before its first step: look at the data and the starting values"
        return f"{first}; run {rows[0]['index']}: {rows[0]['message']}"
    if outcomes == {"failed"}:
        return f"no fit succeeded: {rows[0]['message']}"
    if outcomes == {"diverged"}:
        if not any(each(rows, "steps")):
            return f"every run diverged at its first step: {rows[0]['message']}"
        why = f"run {rows[0]['index']}: {rows[0]['message']}"
        return f"every run diverged: try a smaller optimizer.lr; {why}"
    return "no run ended with a finite loss"


def flat(row: Row) -> Row:
    """A row as a line of runs.csv; or Rows.columns, with the reports of fits, as the columns of runs.csv.

    >>> from packtrain.trainer.folder.ranking import flat
    >>> loss = {"train": {"first": 4.0, "last": 1.0}, "validation": None}
    >>> row = {"index": 0, "values": {"seed": 7}, "outcome": "finished", "message": "", "steps": 9}
    >>> list(flat(row | {"loss": loss, "metrics": {}, "parameters": {"a": {"value": 2.0}}}))[-3:]
    ['loss.train.last', 'loss.validation', 'parameters.a']
    """
    return {
        "index": row["index"],
        **row["values"],
        "outcome": row["outcome"],
        "message": row["message"],
        "steps": row["steps"],
        **({BEST_STEP: row[BEST_STEP]} if BEST_STEP in row else {}),
        "loss.train.first": row["loss"]["train"]["first"],
        "loss.train.last": row["loss"]["train"]["last"],
        "loss.validation": row["loss"]["validation"],
        **flat_test(row),
        **{f"metrics.{name}": value for name, value in row["metrics"].items()},
        **{f"parameters.{name}": about["value"] for name, about in row["parameters"].items()},
        **(_flat_fit(row) if "fit" in row else {}),
    }


def _flat_fit(columns: Row) -> Row:
    """The columns of fits: each parameter's uncertainty, and what is a number or names."""
    parameters, fit = columns["parameters"], columns["fit"]
    flat: Row = {}
    for name, about in parameters.items():
        low, high = (about["ci95"].low, about["ci95"].high) if about["ci95"] else (None, None)
        flat |= {f"stderr.{name}": about["stderr"], f"ci95.{name}.low": low, f"ci95.{name}.high": high}
        if "profile" in about:
            ends = about["profile"]
            flat |= {f"profile.{name}.low": ends.low, f"profile.{name}.high": ends.high}
    if len(parameters) <= CORRELATED:
        for (p, a), (q, b) in combinations(enumerate(parameters), 2):
            flat[f"correlation.{a}.{b}"] = fit["correlation"].of(p, q)
    for name, column in fit.items():
        if name == "notes":
            flat["fit.notes"] = column.joined("; ")
        elif isinstance(column, Names):
            flat[f"fit.{name}"] = column.joined(" ")
        elif name not in ("correlation", "combinations"):
            flat[f"fit.{name}"] = column
    return flat


def nested(line: Mapping[str, Any]) -> Row:
    """A line of runs.csv, its values typed, as a row of result.json, without the report of a fit.

    >>> from packtrain.trainer.folder.ranking import nested
    >>> line = {"index": 0, "seed": 7, "outcome": "finished", "message": "", "steps": 9}
    >>> line |= {"loss.train.first": 4.0, "loss.train.last": 1.0, "loss.validation": None}
    >>> row = nested(line | {"parameters.a": 2.0})
    >>> row["values"], row["loss"]["train"]["last"], row["parameters"]["a"]["value"]
    ({'seed': 7}, 1.0, 2.0)
    """
    columns = list(line)
    varied = [name for name in columns[: columns.index("outcome")] if name not in PLACE]
    fitted = _below(line, "parameters.")
    return {
        "index": line["index"],
        "values": {name: line[name] for name in varied},
        "outcome": line["outcome"],
        "message": line["message"],
        "steps": line["steps"],
        **({BEST_STEP: line[BEST_STEP]} if BEST_STEP in line else {}),
        "loss": {
            "train": {"first": line["loss.train.first"], "last": line["loss.train.last"]},
            "validation": line["loss.validation"],
            **({"test": line[TEST_LOSS]} if TEST_LOSS in line else {}),
        },
        **({"test": _below(line, TEST)} if TEST_LOSS in line else {}),
        "metrics": _below(line, "metrics."),
        "parameters": {
            name: {"value": value, "stderr": line.get(f"stderr.{name}")} for name, value in fitted.items()
        },
    }


def _below(line: Mapping[str, Any], prefix: str) -> Row:
    return {name.removeprefix(prefix): value for name, value in line.items() if name.startswith(prefix)}
