"""What a search makes small or large: one number of each run."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernels.errors import UserError, choose, nearest
from trainer.config import Config
from trainer.models.base import metrics_of
from trainer.rows import UNUSABLE, Row

MAXIMIZED = ("metrics.accuracy",)
DIRECTIONS = {"minimize": False, "maximize": True}
COLUMNS = {"loss.train": "loss.train.last"}


@dataclass(frozen=True)
class Objective:
    """The number called `name`, in one column of runs.csv, and which way it is better."""

    name: str
    maximized: bool

    def of(self, line: Row) -> float | None:
        """The number of a run, by its line of runs.csv; None where the run is of no use."""
        return None if line["outcome"] in UNUSABLE else line[COLUMNS.get(self.name, self.name)]

    def best(self, lines: Sequence[Row]) -> Row | None:
        """The best of the runs, None where none is of use."""
        usable = [line for line in lines if self.of(line) is not None]
        sign = -1 if self.maximized else 1
        return min(usable, key=lambda line: sign * (self.of(line) or 0.0), default=None)


def make_objective(config: Config) -> Objective:
    """What search.objective and search.direction ask for. Raises UserError."""
    name, held = config.search.objective, config.data.validation > 0
    names = [
        "loss",
        "loss.validation",
        "loss.train",
        *(f"metrics.{m}" for m in metrics_of(config.model.loss)),
    ]
    if name not in names:
        raise UserError(
            f"search.objective is one of {', '.join(names)} with model.loss={config.model.loss}; "
            f"got {name!r}{nearest(name, names)}"
        )
    if name == "loss.validation" and not held:
        raise UserError(
            "search.objective=loss.validation needs a part held out, as with data.validation=0.2; "
            "loss.train needs none"
        )
    if name == "loss":
        name = "loss.validation" if held else "loss.train"
    asked = config.search.direction
    maximized = name in MAXIMIZED if asked is None else choose(DIRECTIONS, asked, "search.direction")
    return Objective(name, maximized)
