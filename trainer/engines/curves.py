"""The recorded steps of a training, kept in memory."""

import torch
from torch import Tensor

from ..models.evaluate import Evaluation
from .base import History

Series = dict[str, Tensor]


class Curves:
    """Collects the recorded steps of a session; one of its watchers."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.slices: list[tuple[range, Series]] = []

    def record(self, history: History) -> None:
        """Adds the recorded steps of a slice."""
        columns = {"loss": history.loss, "gradient_norm": history.gradient_norm, **history.rates}
        self.slices.append((history.steps, {name: self._of_all(history, c) for name, c in columns.items()}))

    def forget(self, step: int) -> None:
        """Drops what was recorded from `step` on."""
        for place, (steps, columns) in enumerate(self.slices):
            count = sum(recorded < step for recorded in steps)
            self.slices[place] = steps[:count], {name: column[:count] for name, column in columns.items()}

    def validated(self, evaluation: Evaluation, runs: Tensor) -> None:
        """Does nothing: only steps are collected."""

    def _of_all(self, history: History, column: Tensor) -> Tensor:
        """[S, K] -> [S, R], NaN for runs that were not trained."""
        whole = torch.full((len(column), self.runs), torch.nan, dtype=torch.float64)
        whole[:, history.runs.cpu()] = column.double().cpu()
        return whole

    @property
    def steps(self) -> Tensor:
        """The steps that were recorded, [S]."""
        return torch.tensor([step for steps, _ in self.slices for step in steps])

    @property
    def series(self) -> Series:
        """loss, gradient_norm and the rates (lr, or damping) by name, [S, R] each, NaN where not trained."""
        names = self.slices[0][1] if self.slices else {}
        return {name: torch.cat([columns[name] for _, columns in self.slices]) for name in names}
