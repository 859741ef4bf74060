"""Runs to draw, with curves, that nobody has trained."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from packtrain.trainer.folder.curves import Curves
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.pictures.ranked import Ranked

Value = Callable[[int, np.random.Generator], Any]
STEPS = np.arange(0, 300, 10)


def runs(
    count: int,
    fields: Mapping[str, Value],
    quality: Callable[[Mapping[str, Any]], float] = lambda values: 1.0,
    objective: str = "loss.train",
    maximized: bool = False,
    lost: int = 0,
    rate: float = 0.01,
    decays: bool = False,
    validated: bool = True,
) -> Ranked:
    """`count` runs whose losses fall to 10^-quality in 300 steps; every `lost`-th diverges on the way."""
    random = np.random.default_rng(0)
    rows, parts = [], []
    for run in range(count):
        values = {field: value(run, random) for field, value in fields.items()}
        last = 10.0 ** -quality(values)
        loss = last + (10 - last) * np.exp(-STEPS / 12) * np.exp(0.1 * random.normal(size=len(STEPS)))
        diverges = lost > 0 and run % lost == 0
        made = 12 if diverges else len(STEPS)
        lr = np.linspace(rate, rate * (1 - decays), len(STEPS))
        trained = {"run": [run] * made, "step": STEPS[:made], "loss": loss[:made], "lr": lr[:made]}
        parts.append(pa.table(trained))
        if validated:
            some = slice(0, made, 5)
            measured = {"loss.validation": 1.5 * loss[some], "metrics.accuracy": 1 / (1 + loss[some])}
            at = STEPS[some]
            parts.append(pa.table({"run": [run] * len(at), "step": at, **measured}))
        end = None if diverges else float(loss[-1])
        row = {"index": run, **values, "outcome": "diverged" if diverges else "finished", "message": ""}
        row |= {"steps": int(STEPS[made - 1]), "loss.train.first": 10.0, "loss.train.last": end}
        row["loss.validation"] = None if end is None or not validated else 1.5 * end
        row["metrics.accuracy"] = None if end is None else 1 / (1 + end)
        rows.append(row)
    table = pa.concat_tables(parts, promote_options="default")
    return Ranked(rows, Objective(objective, maximized), lambda: Curves(table))


def each(*values: Any) -> Value:
    """One of the values after the other, run by run."""
    return lambda run, random: values[run % len(values)]


def between(low: float, high: float) -> Value:
    """A number from 10^low to 10^high."""
    return lambda run, random: float(10 ** random.uniform(low, high))
