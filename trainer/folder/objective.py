"""What runs are ranked by, one by one, and whether those that differ in their seeds alone belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..config.schema import OVER_SEEDS
from ..engines.rows import Row, each, numbers

LOSSES = "loss.train", "loss.validation"
UNUSABLE = "diverged", "failed"  # outcomes
AUTO, MEAN, MEDIAN, NONE = OVER_SEEDS


@dataclass(frozen=True)
class Objective:
    """What runs are ranked by: loss.train, loss.validation or metrics.NAME, and which way it is better.

    `over_seeds` is search.over_seeds: how the runs of a setting are ranked together.
    """

    name: str
    maximized: bool = False
    over_seeds: str = NONE

    def __post_init__(self) -> None:
        if self.name not in LOSSES and not str(self.name).startswith("metrics."):
            raise ValueError(f"runs are ranked by a loss or by metrics.NAME, not by {self.name!r}")
        if self.over_seeds not in OVER_SEEDS:
            raise ValueError(f"runs are ranked over seeds by {OVER_SEEDS}, not by {self.over_seeds!r}")

    @property
    def column(self) -> str:
        """Its column in runs.csv."""
        return "loss.train.last" if self.name == "loss.train" else self.name

    @property
    def as_data(self) -> dict[str, Any]:
        """What result.json says of it; objective_in reads that.

        >>> Objective("loss.train").as_data
        {'name': 'loss.train', 'maximized': False}
        """
        over_seeds = {} if self.over_seeds == NONE else {"over_seeds": self.over_seeds}
        return {"name": self.name, "maximized": self.maximized, **over_seeds}

    def of(self, row: Row) -> float | None:
        """The number of a run, None where the run is of no use."""
        part, _, name = self.name.partition(".")
        value = None if row["outcome"] in UNUSABLE else row[part].get(name)
        value = value["last"] if isinstance(value, dict) else value
        return value if isinstance(value, (int, float)) else None

    def each(self, rows: Sequence[Row]) -> np.ndarray:
        """The number of every run [R], NaN where it is of no use."""
        part, _, name = self.name.partition(".")
        path = (part, name, "last") if self.name == "loss.train" else (part, name)
        usable = np.array([word not in UNUSABLE for word in each(rows, "outcome")], bool)
        return np.where(usable, numbers(rows, *path), np.nan)

    def costs(self, rows: Sequence[Row]) -> np.ndarray:
        """What is small of a good run [R]: the number, or minus it; infinite where the run is of no use."""
        values = self.each(rows)
        return np.where(np.isnan(values), np.inf, -values if self.maximized else values)


def loss_of(rows: Sequence[Row], over_seeds: str = NONE) -> Objective:
    """The objective where none is given: the loss, of the validation part where there is one.

    >>> from packtrain.trainer.folder.objective import loss_of
    >>> loss_of([{"loss": {"train": {"first": 4.0, "last": 1.0}, "validation": None}}]).name
    'loss.train'
    """
    validated = bool(np.isfinite(numbers(rows, "loss", "validation")).any())
    return Objective("loss.validation" if validated else "loss.train", over_seeds=over_seeds)


def one_by_one(rows: Sequence[Row], objective: Objective | None = None) -> np.ndarray:
    """The places [R] of the rows by the objective, where that is equal by their loss; unusable runs last.

    >>> from packtrain.trainer.folder.objective import one_by_one
    >>> def row(loss, outcome="finished"):
    ...     return {"outcome": outcome, "loss": {"train": {"first": 4.0, "last": loss}, "validation": None}}
    >>> one_by_one([row(None, "diverged"), row(2.0), row(1.0)]).tolist()
    [2, 1, 0]
    """
    order = np.argsort(loss_of(rows).costs(rows), kind="stable")
    return order[np.argsort(objective.costs(rows)[order], kind="stable")] if objective else order


def objective_in(result: Mapping[str, Any]) -> Objective | None:
    """The objective in a result.json, or in a search's plan; None where there is none.

    >>> from packtrain.trainer.folder.objective import objective_in
    >>> objective_in({"objective": {"name": "metrics.accuracy", "maximized": True}})
    Objective(name='metrics.accuracy', maximized=True, over_seeds='none')
    """
    fields = result.get("objective")
    return Objective(**fields) if fields else None


def common(results: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> Objective:
    """What the runs of several packs are ranked by: the objective of all, else the loss of their `rows`.

    >>> common([{"objective": {"name": "metrics.f1"}}, {"objective": {"name": "metrics.f1"}}], []).name
    'metrics.f1'
    """
    objectives = {*map(objective_in, results)}
    ways = {objective.over_seeds if objective else NONE for objective in objectives}
    over_seeds = ways.pop() if len(ways) == 1 else AUTO if AUTO in ways else NONE
    same = {objective and replace(objective, over_seeds=over_seeds) for objective in objectives}
    only = same.pop() if len(same) == 1 else None
    return only or loss_of(rows, over_seeds)
