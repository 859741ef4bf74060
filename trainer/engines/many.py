"""What many fits came to together: how they ended, how their parameters are spread, which are the worst."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from ..config.pack import START
from .rows import Row, Rows, each, numbers

MANY = 20  # fits of groups: of more there is a report of all together
WORST = 10
MOST_NOTES = 5
QUANTILES = {"5 %": 5, "25 %": 25, "median": 50, "75 %": 75, "95 %": 95}
CONVERGED, UNUSABLE = "converged", "its rows can't be used"


def fits_report(rows: Rows, reasons: Mapping[str, str], faults: Mapping[int, str]) -> Row:
    """The outcomes with their reasons, quantiles of the parameters that converged, the worst fits, and notes.

    `reasons` are those of the criteria, `faults` why runs had no samples. The worst are those of the least
    R^2; where none has one, of the largest residuals. Of several starts (model.starts) the best one counts.

    >>> import numpy as np
    >>> fit = {"criterion": ["cost", "stuck"], "r_squared": np.array([0.9, 0.1])}
    >>> fit |= {"residual_std": np.array([0.1, 2.0]), "notes": [[], ["odd"]]}
    >>> columns = {"index": range(2), "values": {"cell": ["a", "b"]}, "outcome": ["finished", "failed"]}
    >>> columns |= {"parameters": {"k": {"value": np.array([3.0, 9.0])}}, "fit": fit}
    >>> report = fits_report(Rows(columns), {"cost": "it is flat", "stuck": "no step helps"}, {})
    >>> report["outcomes"][1], report["parameters"]["k"]["median"], report["worst"][0]["run"]
    ({'outcome': 'failed', 'reason': 'no step helps', 'runs': 1, 'first': 1}, 3.0, 1)
    """
    rows = _best_starts(rows)
    outcomes, criteria, runs = each(rows, "outcome"), each(rows, "fit", "criterion"), each(rows, "index")
    finished = np.array([outcome == "finished" for outcome in outcomes], bool)
    whys = [
        UNUSABLE if run in faults else reasons[criterion]
        for run, criterion in zip(runs, criteria, strict=True)
    ]
    cases = [
        (word, CONVERGED if word == "finished" else why) for word, why in zip(outcomes, whys, strict=True)
    ]
    return {
        "outcomes": list(_counted(cases, runs)),
        "parameters": {name: _quantiles(rows, name, finished) for name in rows.columns["parameters"]},
        "worst": list(_worst(rows)),
        "notes": list(_notes(each(rows, "fit", "notes"))),
    }


def _best_starts(rows: Rows) -> Rows:
    """Of each fit's starts, which stand side by side, the one that finished with the least loss."""
    if START not in rows.columns["values"]:
        return rows
    starts = max(each(rows, "values", START)) + 1
    if len(rows) % starts:  # pack.slice has cut one
        return rows
    finished = np.array([word == "finished" for word in each(rows, "outcome")], bool)
    loss = np.where(finished, numbers(rows, "loss", "train", "last"), np.nan)
    best = np.where(np.isnan(loss), np.inf, loss).reshape(-1, starts).argmin(1)
    return rows.of(np.arange(0, len(rows), starts) + best)


def _counted(cases: list[tuple[str, str]], runs: list[int]) -> Iterator[Row]:
    """Each case with how many runs are of it, and the first of them; those that finished first."""
    first = {case: run for case, run in reversed(list(zip(cases, runs, strict=True)))}
    counts = sorted(Counter(cases).items(), key=lambda entry: (entry[0][0] != "finished", -entry[1]))
    for (outcome, why), count in counts:
        yield {"outcome": outcome, "reason": why, "runs": count, "first": first[outcome, why]}


def _quantiles(rows: Rows, name: str, finished: np.ndarray) -> Row:
    values = numbers(rows, "parameters", name, "value")
    values = values[finished & np.isfinite(values)]
    if not len(values):
        return dict.fromkeys(QUANTILES)
    return dict(zip(QUANTILES, np.percentile(values, list(QUANTILES.values())).tolist(), strict=True))


def _worst(rows: Rows) -> Iterator[Row]:
    r_squared, residual = numbers(rows, "fit", "r_squared"), numbers(rows, "fit", "residual_std")
    badness = -r_squared if np.isfinite(r_squared).any() else residual
    ranked = np.argsort(np.where(np.isnan(badness), -math.inf, badness), kind="stable")[::-1]
    for run in ranked[:WORST].tolist():
        if math.isfinite(badness[run]):
            row = rows[run]
            quality = {name: row["fit"][name] for name in ("residual_std", "r_squared")}
            yield {"run": row["index"], "values": row["values"], **quality, "outcome": row["outcome"]}


def _notes(notes: list[list[str]]) -> Iterator[Row]:
    """The most frequent notes, and of how many runs each is."""
    counts = Counter(note for of_run in notes for note in of_run)
    for note, count in counts.most_common(MOST_NOTES):
        yield {"note": note, "runs": count}
