"""Runs to draw together: of a training, or of a whole sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..folder.ranking import Objective, Row, lines_best_first, loss_of, nested, objective_in
from ..folder.result import Result
from ..folder.stored import Stored
from ..folder.table import table_of


@dataclass(frozen=True)
class Ranked:
    """The `rows` of a runs.csv, and what they are ranked by."""

    rows: Sequence[Row]
    objective: Objective

    @classmethod
    def of_result(cls, result: Result) -> "Ranked":
        """The runs of a training, in memory."""
        return cls(table_of(result.rows).to_pylist(), result.objective or loss_of(result.rows))

    @classmethod
    def of_folder(cls, stored: Stored) -> "Ranked":
        """The runs of a training or a sweep, in its folder."""
        rows = stored.lines if stored.lines != [{}] else []
        return cls(rows, objective_in(stored.result) or loss_of([nested(row) for row in rows]))

    @cached_property
    def lines(self) -> list[Row]:
        """The lines of the runs that are of use, the best first."""
        ranked = lines_best_first(self.rows, self.objective)
        return [line for line in ranked if self.objective.of(nested(line)) is not None]
