"""Results over seeds: the runs that differ in their seeds alone are one setting, and settings are ranked."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..engines.rows import Row, Rows, each, numbers
from .objective import AUTO, MEAN, MEDIAN, NONE, Objective, loss_of, one_by_one

SEEDS = "seed", "data.seed"  # the fields that a setting doesn't have: they only draw numbers
FEWEST_SEEDS = 2  # runs of a setting, on average, from which `auto` ranks settings
LISTED_SETTINGS = 100  # of more, result.json holds the ten best; settings.csv holds all
LISTED_BEST = 10


@dataclass(frozen=True)
class Setting:
    """The runs that differ in their seeds alone; `values` is what else varies, with its values in them.

    `runs` are the indices of all its runs, the best first, and `numbers` the objective of those that are of
    use, in the same order. `metrics` are means of these.
    """

    values: dict[str, Any]
    runs: list[int]
    numbers: list[float]
    objective: Objective
    metrics: dict[str, float | None]

    @property
    def count(self) -> int:
        """How many runs it has."""
        return len(self.runs)

    @property
    def usable(self) -> int:
        """How many of them are of use."""
        return len(self.numbers)

    @property
    def best_run(self) -> int | None:
        """The index of the best of them, None where none is of use."""
        return self.runs[0] if self.numbers else None

    @property
    def way(self) -> str:
        """What its value is: the mean, or the median."""
        return MEDIAN if self.objective.over_seeds == MEDIAN else MEAN

    @property
    def value(self) -> float | None:
        """The mean or the median, None where no run is of use.

        Of the runs that are of use, or, by the median, of all while the others don't reach the middle.
        """
        worst = -math.inf if self.objective.maximized else math.inf
        all_runs = [*self.numbers, *[worst] * (self.count - self.usable)]
        values = [float(STATISTICS[self.way](numbers)) for numbers in (all_runs, self.numbers) if numbers]
        return next(filter(math.isfinite, values), None)

    @property
    def stderr(self) -> float | None:
        """The standard error of the value, None of a single run.

        Of the mean it is sd/sqrt(n), of the median that of Maritz and Jarrett (1978): the standard deviation
        of the medians of all bootstrap samples.

        >>> loss = Objective("loss.train", over_seeds="mean")
        >>> Setting({}, [0, 1], [1.0, 2.0], loss, {}).stderr
        0.5
        """
        if self.usable < 2:
            return None
        if self.way == MEDIAN:
            return _stderr_of_median(np.sort(self.numbers))
        return float(np.std(self.numbers, ddof=1) / math.sqrt(self.usable))

    @property
    def as_data(self) -> dict[str, Any]:
        """What result.json says of it."""
        return {"values": self.values, **self._measures, "metrics": self.metrics}

    @property
    def line(self) -> Row:
        """Its line in settings.csv."""
        return {**self.values, **self._measures, **{f"metrics.{k}": v for k, v in self.metrics.items()}}

    @property
    def _measures(self) -> Row:
        best, worst = (self.numbers[0], self.numbers[-1]) if self.numbers else (None, None)
        counts = {"runs": self.count, "usable": self.usable}
        measured = {self.way: self.value, "stderr": self.stderr, "best": best, "worst": worst}
        return {**measured, **counts, "best_run": self.best_run}


STATISTICS = {MEAN: np.mean, MEDIAN: np.median}


def settings_of(
    rows: Sequence[Row], objective: Objective | None = None, how: str | None = None
) -> list[Setting]:
    """The settings of the rows, the best first; none where they are not ranked over seeds.

    `how` is mean, median, none or auto, and without it what the objective says. With auto it is the mean,
    where there are two runs or more a setting, on average. A run that is of no use counts as infinitely bad:
    by the mean, its setting comes after all that have no such run; by the median, if half of its runs are
    such. Among those, the one with the greater share of usable runs comes first, then that whose usable runs
    are better.

    >>> def row(seed, lr, loss, outcome="finished"):
    ...     losses = {"train": {"first": 9.0, "last": loss}, "validation": None}
    ...     return {"index": 2 * seed + (lr > 1), "values": {"seed": seed, "lr": lr}, "loss": losses,
    ...             "outcome": outcome, "metrics": {}}
    >>> rows = [row(0, 1, 2.0), row(0, 3, 0.1, "diverged"), row(1, 1, 4.0), row(1, 3, 1.0)]
    >>> for setting in settings_of(rows, Objective("loss.train"), "mean"):
    ...     setting.values, setting.value, setting.stderr, setting.runs, setting.usable
    ({'lr': 1}, 3.0, 1.0, [0, 2], 2)
    ({'lr': 3}, 1.0, None, [3, 1], 1)
    """
    objective = _with(rows, objective, how)
    groups = _gathered(rows, objective)
    if not groups:
        return []
    values, indices = objective.each(rows), np.array(each(rows, "index"))
    fields = {name: each(rows, "values", name) for name in varied(rows) if name not in SEEDS}
    metrics = {name: numbers(rows, "metrics", name) for name in rows[0].get("metrics") or {}}
    settings: list[Setting] = []
    for places in groups:
        usable = places[np.isfinite(values[places])]
        means = {name: _mean(column[usable]) for name, column in metrics.items()}
        own = {name: column[int(places[0])] for name, column in fields.items()}
        settings.append(Setting(own, indices[places].tolist(), values[usable].tolist(), objective, means))
    return settings


def order_of(rows: Sequence[Row], objective: Objective | None = None) -> np.ndarray:
    """The places [R] of the rows, the best first: setting by setting where the objective says so.

    Runs that are of no use come last.

    >>> loss = {"train": {"first": 9.0, "last": 1.0}, "validation": None}
    >>> order_of([{"outcome": "failed", "loss": loss}, {"outcome": "finished", "loss": loss}]).tolist()
    [1, 0]
    """
    groups = _gathered(rows, objective) if objective else []
    if not objective or not groups:
        return one_by_one(rows, objective)
    order = np.concatenate(groups)
    return order[np.argsort(np.isinf(objective.costs(rows)[order]), kind="stable")]


def varied(rows: Sequence[Row]) -> list[str]:
    """The fields that the rows have values of.

    >>> varied([{"values": {"seed": 1}}, {"values": {"seed": 1, "optimizer.lr": 0.1}}])
    ['seed', 'optimizer.lr']
    """
    values = [rows.columns.get("values")] if isinstance(rows, Rows) else each(rows, "values")
    return list(dict.fromkeys(name for of_row in values for name in of_row or ()))


def _with(rows: Sequence[Row], objective: Objective | None, how: str | None) -> Objective:
    objective = objective or loss_of(rows)
    return objective if how is None else replace(objective, over_seeds=how)


def _gathered(rows: Sequence[Row], objective: Objective) -> list[np.ndarray]:
    """The places of each setting's runs, the best first, of the best setting first."""
    settings = _settings(rows, objective.over_seeds)
    if settings is None:
        return []
    order = one_by_one(rows, objective)
    order = order[np.argsort(settings[order], kind="stable")]
    groups = np.split(order, np.cumsum(np.bincount(settings))[:-1])
    costs, statistic = objective.costs(rows), STATISTICS.get(objective.over_seeds, np.mean)
    ranks = [_rank(costs[places], statistic) for places in groups]
    return [groups[place] for place in sorted(range(len(groups)), key=ranks.__getitem__)]


def _settings(rows: Sequence[Row], how: str) -> np.ndarray | None:
    """The number of each row's setting [R], None where rows aren't gathered."""
    fields = varied(rows) if how != NONE else []
    if not {*SEEDS} & {*fields}:
        return None
    columns = [map(_key, each(rows, "values", name)) for name in fields if name not in SEEDS]
    known: dict[tuple[Hashable, ...], int] = {}
    keys = zip(*columns, strict=True) if columns else [()] * len(rows)
    settings = np.array([known.setdefault(key, len(known)) for key in keys])
    few = how == AUTO and len(rows) < FEWEST_SEEDS * len(known)
    return None if few else settings


def _key(value: Any) -> Hashable:
    return value if isinstance(value, Hashable) else str(value)


def _rank(costs: np.ndarray, statistic: Any) -> tuple[float, float, float]:
    """What is small of a good setting, whose costs are the best first and infinite of runs of no use."""
    usable = costs[np.isfinite(costs)]
    among = float(statistic(usable)) if len(usable) else math.inf
    with np.errstate(invalid="ignore"):
        value = float(statistic(costs))
    return (math.inf if math.isnan(value) else value, -len(usable) / len(costs), among)


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _stderr_of_median(values: np.ndarray) -> float:
    """Of n sorted values, the weights being the chances with which each is the median of a sample of n."""
    from scipy.special import betainc  # noqa: PLC0415 (scipy takes a moment to import)

    n = len(values)
    half = (n + 1) / 2
    weights = np.diff(betainc(half, half, np.arange(n + 1) / n))
    mean = weights @ values
    return math.sqrt(weights @ (values - mean) ** 2)
