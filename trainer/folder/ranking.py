"""The rows of a result, one a run: as result.json nests them, as runs.csv flattens them, ranked."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

Row = dict[str, Any]

LISTED_RUNS = 100  # a larger pack's result.json holds the ten best; runs.csv holds all
LISTED_BEST = 10
CORRELATED = 20  # parameters up to which runs.csv has a column for each pair's correlation
LOSSES = "loss.train", "loss.validation"
UNUSABLE = "diverged", "failed"  # outcomes
PRUNED = "stopped at rung "  # what an outcome begins with
PLACE = "index", "pack", "run"  # columns that say where a row belongs


def counted(outcomes: Iterable[str]) -> dict[str, int]:
    """How many there are of each outcome: the finished ones first, rung after rung last."""
    counts = Counter(outcomes)
    return {word: counts[word] for word in sorted(counts, key=lambda w: (w != "finished", len(w), w))}


@dataclass(frozen=True)
class Objective:
    """What runs are ranked by: loss.train, loss.validation or metrics.NAME, and which way it is better."""

    name: str
    maximized: bool = False

    def __post_init__(self) -> None:
        if self.name not in LOSSES and not str(self.name).startswith("metrics."):
            raise ValueError(f"runs are ranked by a loss or by metrics.NAME, not by {self.name!r}")

    @property
    def column(self) -> str:
        """Where it stands in runs.csv."""
        return "loss.train.last" if self.name == "loss.train" else self.name

    def of(self, row: Row) -> float | None:
        """The number of a run, None where the run is of no use."""
        part, _, name = self.name.partition(".")
        value = None if row["outcome"] in UNUSABLE else row[part].get(name)
        value = value["last"] if isinstance(value, dict) else value
        return value if isinstance(value, (int, float)) else None

    def rank(self, row: Row) -> tuple[bool, float]:
        """Less for a better run; runs of no use come last."""
        value = self.of(row)
        return value is None, (-1 if self.maximized else 1) * (value or 0.0)


def loss_of(rows: Sequence[Row]) -> Objective:
    """What ranks runs that nothing else is asked of: the loss, on the validation part where there is one."""
    held = any(row["loss"]["validation"] is not None for row in rows)
    return Objective("loss.validation" if held else "loss.train")


def best_first(rows: Sequence[Row], objective: Objective | None = None) -> list[Row]:
    """The rows by the objective, where that is equal (and without one) by their loss; unusable runs last."""
    by_loss = sorted(rows, key=loss_of(rows).rank)
    return sorted(by_loss, key=objective.rank) if objective else by_loss


def lines_best_first(lines: Sequence[Row], objective: Objective | None = None) -> list[Row]:
    """Lines of runs.csv, ranked as their rows are."""
    by_index = {line["index"]: line for line in lines}
    return [by_index[row["index"]] for row in best_first([nested(line) for line in lines], objective)]


def best_run(ranked: Sequence[Row], objective: Objective | None = None) -> int | None:
    """The index of the first of the ranked rows, None where it is of no use."""
    usable = ranked and (objective or loss_of(ranked)).of(ranked[0]) is not None
    return ranked[0]["index"] if usable else None


def objective_in(result: Mapping[str, Any]) -> Objective | None:
    """What a sweep's result.json, or its plan, says that its runs are ranked by; None where it doesn't."""
    found = result.get("objective")
    return Objective(**found) if found else None


def no_best(rows: list[Row]) -> str:
    """Why no run can be used, and what may help."""
    if all(row["loss"]["train"]["first"] is None for row in rows):
        first = "no run has a finite loss before its first step: look at the data and the starting values"
        return f"{first}; run {rows[0]['index']}: {rows[0]['message']}"
    if all(row["outcome"] == "failed" for row in rows):
        return f"no fit succeeded: {rows[0]['message']}"
    if all(row["outcome"] == "diverged" for row in rows):
        if not any(row["steps"] for row in rows):
            return f"every run diverged at its first step: {rows[0]['message']}"
        return "every run diverged: try a smaller optimizer.lr"
    return "no run ended with a finite loss"


def flat(row: Row) -> Row:
    """A row of runs.csv."""
    return {
        "index": row["index"],
        **row["values"],
        "outcome": row["outcome"],
        "message": row["message"],
        "steps": row["steps"],
        "loss.train.first": row["loss"]["train"]["first"],
        "loss.train.last": row["loss"]["train"]["last"],
        "loss.validation": row["loss"]["validation"],
        **{f"metrics.{name}": value for name, value in row["metrics"].items()},
        **{f"parameters.{name}": each["value"] for name, each in row["parameters"].items()},
        **(_flat_fit(row) if "fit" in row else {}),
    }


def _flat_fit(row: Row) -> Row:
    """A fit's columns: each parameter's uncertainty, and what is a number or a list of names."""
    found: Row = {}
    for name, each in row["parameters"].items():
        low, high = each["ci95"] or (None, None)
        found |= {f"stderr.{name}": each["stderr"], f"ci95.{name}.low": low, f"ci95.{name}.high": high}
    if len(row["parameters"]) <= CORRELATED:
        correlation = row["fit"]["correlation"]
        for a, b in combinations(row["parameters"], 2):
            found[f"correlation.{a}.{b}"] = correlation.get(a, {}).get(b)
    for name, value in row["fit"].items():
        if name == "notes":
            found["fit.notes"] = "; ".join(value)
        elif isinstance(value, list) and name != "combinations":
            found[f"fit.{name}"] = " ".join(value)
        elif not isinstance(value, (list, dict)):
            found[f"fit.{name}"] = value
    return found


def nested(line: Mapping[str, Any]) -> Row:
    """A line of runs.csv, its values typed, as result.json has it; but for the report of a fit."""
    columns = list(line)
    varied = [name for name in columns[: columns.index("outcome")] if name not in PLACE]
    fitted = _below(line, "parameters.")
    return {
        "index": line["index"],
        "values": {name: line[name] for name in varied},
        "outcome": line["outcome"],
        "message": line["message"],
        "steps": line["steps"],
        "loss": {
            "train": {"first": line["loss.train.first"], "last": line["loss.train.last"]},
            "validation": line["loss.validation"],
        },
        "metrics": _below(line, "metrics."),
        "parameters": {
            name: {"value": value, "stderr": line.get(f"stderr.{name}")} for name, value in fitted.items()
        },
    }


def _below(line: Mapping[str, Any], prefix: str) -> Row:
    return {name.removeprefix(prefix): value for name, value in line.items() if name.startswith(prefix)}


def finite(value: Any) -> Any:
    """Numbers that are not finite become null, everywhere below `value`."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
