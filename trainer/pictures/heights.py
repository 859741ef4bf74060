"""What runs are ranked by, as the axis that they are compared on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..folder.objective import Objective
from ..folder.ranking import Row
from .scales import decades, is_wide

SPARE, BULK = 0.3, 90  # of an axis, for the worst runs; per cent of the runs that it is for
ROOM = 0.06


@dataclass(frozen=True)
class Heights:
    """The numbers `of` the runs of use [R], the best run's first, by their `objective`."""

    of: np.ndarray
    objective: Objective

    @classmethod
    def of_lines(cls, lines: Sequence[Row], objective: Objective) -> "Heights":
        """Those of lines of a runs.csv, all of use.

        >>> lines = [{"loss.train.last": loss} for loss in (1e-3, 2e-3, 1.0)]
        >>> heights = Heights.of_lines(lines, Objective("loss.train"))
        >>> heights.is_log, heights.label
        (True, 'loss.train.last')
        """
        return cls(np.array([line[objective.column] for line in lines], float), objective)

    @property
    def label(self) -> str:
        """What the axis is called."""
        return f"{self.objective.column}{', more is better' if self.objective.maximized else ''}"

    @cached_property
    def is_log(self) -> bool:
        return len(self.of) > 0 and is_wide(self.of)

    def even(self, of: np.ndarray) -> np.ndarray:
        """Numbers as they look on the axis."""
        return np.log10(of) if self.is_log else np.asarray(of, float)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The even ends of the axis; a few runs that are far worse don't press the others together."""
        even = self.even(self.of)
        sign = -1.0 if self.objective.maximized else 1.0
        best, bulk, worst = (sign * even).min(), np.percentile(sign * even, BULK), (sign * even).max()
        span = bulk - best or worst - best or abs(best) or 1.0
        end = min(worst, bulk + SPARE * span) if worst - bulk > 2 * span else worst
        ends = sorted((sign * (best - ROOM * span), sign * (end + ROOM * (end - best or span))))
        return float(ends[0]), float(ends[1])

    @property
    def edge(self) -> float:
        """The even place of what is worse than the axis shows."""
        return self.limits[0] if self.objective.maximized else self.limits[1]

    def set_up(self, axes: Any) -> None:
        """Gives the vertical axis its ends and its ticks."""
        axes.set_ylim(*self.limits)
        if self.is_log:
            axes.set_yticks(*decades(*self.limits))
