"""Runs to draw together: of a training, or of a whole sweep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from ..engines.rows import Rows
from ..folder.curves import NOTHING, RUN, STEP, Curves, joined, read_curves
from ..folder.objective import Objective, loss_of, objective_in
from ..folder.ranking import PLACE, Row, lines_best_first, nested
from ..folder.result import Result
from ..folder.settings import order_of
from ..folder.stored import Stored
from ..folder.table import table_of

SEED = "seed"
T = TypeVar("T")


def _no_curves() -> Curves:
    return Curves(NOTHING)


@dataclass(frozen=True)
class Ranked:
    """The `rows` of a runs.csv, what they are ranked by, and what `read` reads: their curves.

    `columns` are the same rows as a result has them, which are ranked sooner.
    """

    rows: Sequence[Row]
    objective: Objective
    read: Callable[[], Curves] = _no_curves
    columns: Rows | None = None

    @classmethod
    def of_result(cls, result: Result) -> "Ranked":
        """The runs of a training, in memory."""
        objective = result.objective or loss_of(result.rows)
        rows = table_of(result.rows).to_pylist()
        return cls(rows, objective, lambda: result.curves or _no_curves(), result.rows)

    @classmethod
    def of_folder(cls, stored: Stored) -> "Ranked":
        """The runs of a training or a sweep, in its folder."""
        rows = [row for row in stored.lines if row]
        objective = objective_in(stored.result) or loss_of([nested(row) for row in rows])
        return cls(rows, objective, lambda: _read(stored))

    @cached_property
    def curves(self) -> Curves:
        """What was recorded while they trained; the runs counted as in `rows`."""
        return self.read()

    @cached_property
    def lines(self) -> list[Row]:
        """The rows of the runs that are of use, the best first."""
        if self.columns is not None:
            useful = np.isfinite(self.objective.each(self.columns))
            order = order_of(self.columns, self.objective)
            return [self.rows[place] for place in order[useful[order]].tolist()]
        ranked = lines_best_first(self.rows, self.objective)
        return [line for line in ranked if self.objective.of(nested(line)) is not None]

    @cached_property
    def lost(self) -> list[Row]:
        """The rows of the others."""
        useful = {line["index"] for line in self.lines}
        return [row for row in self.rows if row["index"] not in useful]

    @cached_property
    def fields(self) -> list[str]:
        """The fields whose values differ between the runs."""
        return varied(self.rows)

    @property
    def best(self) -> int:
        """The index of the best run."""
        return self.lines[0]["index"]

    def lines_of(self, name: str, runs: Sequence[int]) -> list[np.ndarray]:
        """[2, S] of each of these runs: the steps, and the finite values of `name` there."""
        table = self.curves.table
        if name not in table.column_names:
            return [np.empty((2, 0)) for _ in runs]
        run, step, value = (table[column].to_numpy() for column in (RUN, STEP, name))
        place = np.full(max(int(run.max(initial=0)), *runs) + 1, -1)
        place[list(runs)] = range(len(runs))
        some = np.flatnonzero((place[run] >= 0) & np.isfinite(value))
        order = some[np.lexsort((step[some], place[run[some]]))]
        edges = np.searchsorted(place[run[order]], range(len(runs) + 1))
        whole = np.stack([step[order], value[order]])
        return [whole[:, start:end] for start, end in pairwise(edges)]


def spread(items: Sequence[T], most: int) -> list[T]:
    """Up to `most` of the items, evenly from the first to the last.

    >>> spread(range(10), 4)
    [0, 3, 6, 9]
    """
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in np.unique(places)]


def varied(rows: Sequence[Row]) -> list[str]:
    """The fields whose values differ between the lines of a runs.csv.

    >>> lines = [{"index": i, "seed": 3, "optimizer.lr": 0.1 * i, "outcome": "finished"} for i in (1, 2)]
    >>> varied(lines)
    ['optimizer.lr']
    """
    columns = list(rows[0]) if rows else []
    fields = columns[: columns.index("outcome")] if rows else []
    return [name for name in fields if name not in PLACE and len({_key(row[name]) for row in rows}) > 1]


def settings_of(rows: Sequence[Row]) -> dict[int, str]:
    """index -> what a run was set to, but for its seed: 'optimizer.lr=0.01'.

    >>> rows = [{"index": i, "seed": i, "lr": 0.1 * (i % 2), "outcome": "finished"} for i in range(3)]
    >>> settings_of(rows)
    {0: 'lr=0', 1: 'lr=0.1', 2: 'lr=0'}
    """
    fields = [field for field in varied(rows) if field != SEED]
    return {row["index"]: ", ".join(f"{field}={_text(row[field])}" for field in fields) for row in rows}


def _text(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _key(value: Any) -> Any:
    return str(value) if isinstance(value, (list, dict)) else value


def _read(stored: Stored) -> Curves:
    if stored.plan is None:
        return read_curves(stored.folder)
    packs = stored.plan.packs
    parts = [read_curves(stored.folder / pack.folder).counted_from(pack.first) for pack in packs]
    return Curves(joined(part.table for part in parts))
