"""The rows of a result, read back from its run folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..engines.rows import ABSENT, Row, Rows
from .ranking import nested

FIT, CORRELATION, INTERVALS = "fit.", "correlation.", ("ci95", "profile")
LISTS = {"notes": "; ", "fixed": " ", "at_bound": " ", "undetermined": " "}  # in runs.csv one text each


def rows_of(lines: Sequence[Row], listed: Sequence[Row]) -> Rows:
    """The rows of a training: those `listed` in its result.json, and the others from the lines of runs.csv.

    >>> line = {"index": 0, "outcome": "finished", "message": "", "steps": 9, "loss.train.first": 4.0}
    >>> line |= {"loss.train.last": 1.0, "loss.validation": None, "parameters.a": 2.0, "stderr.a": 0.1}
    >>> line |= {"ci95.a.low": 1.8, "ci95.a.high": 2.2, "fit.r_squared": 0.99, "fit.notes": ""}
    >>> row = rows_of([line], [])[0]
    >>> row["parameters"]["a"], row["fit"]["notes"], row["fit"]["r_squared"]
    ({'value': 2.0, 'stderr': 0.1, 'ci95': [1.8, 2.2]}, [], 0.99)
    """
    known = {row["index"]: row for row in listed}
    return Rows(_columns([known.get(line["index"]) or _row(line) for line in lines]))


def _row(line: Row) -> Row:
    """A line of runs.csv as a row of result.json, with what it says of a fit."""
    row = nested(line)
    for name, about in row["parameters"].items():
        for kind in INTERVALS:
            ends = [line.get(f"{kind}.{name}.{end}") for end in ("low", "high")]
            if f"{kind}.{name}.low" in line:
                about[kind] = None if ends == [None, None] else ends
    fit = {name.removeprefix(FIT): value for name, value in line.items() if name.startswith(FIT)}
    if fit:
        lists = {name: _split(fit.get(name), by) for name, by in LISTS.items()}
        correlation = _correlation(line, list(row["parameters"]))
        row["fit"] = fit | lists | {"combinations": [], "correlation": correlation}
    return row


def _split(text: Any, by: str) -> list[str]:
    return str(text).split(by) if text else []


def _correlation(line: Row, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """name -> name -> correlation, of the parameters that have a standard error."""
    known = [name for name in names if line.get(f"stderr.{name}") is not None]
    return {a: {b: 1.0 if a == b else _pair(line, a, b) for b in known} for a in known}


def _pair(line: Row, a: str, b: str) -> float:
    value = line.get(f"{CORRELATION}{a}.{b}", line.get(f"{CORRELATION}{b}.{a}"))
    return 0.0 if value is None else value


def _columns(rows: Sequence[Row]) -> Row:
    """The rows by columns, nested as they are."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _column([row.get(name, ABSENT) for row in rows]) for name in names}


def _column(values: list[Any]) -> Any:
    return _columns(values) if all(isinstance(value, Mapping) for value in values) else values
