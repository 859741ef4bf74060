"""Runs measured on the part of the data that is held out, every so many steps and at the end."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..engines.base import Engine
from ..engines.measure import Alone, Measure
from ..folder.checkpoint import NEVER
from ..models.evaluate import Evaluation


class Validation:
    """Measures the runs of `engine` on `data`, which may be None; due every so many steps.

    `memory` says at which step each run was measured last: {"validated": [R]}, -1 for never.
    """

    def __init__(
        self, engine: Engine, data: Dataset | None, every: int, evaluate: Measure | None = None
    ) -> None:
        self.engine, self.data, self.every = engine, data, every
        self.evaluate = evaluate or Alone(engine)
        self.memory = {"validated": torch.full_like(engine.steps, -1)}
        self.latest: tuple[int, Evaluation] | None = None  # of all runs, and at which step

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps."""
        self.memory["validated"].copy_(memory["validated"])
        self.latest = None

    def next(self, step: int) -> int:
        """The step after `step` at which a validation is due."""
        return step - step % self.every + self.every if self.data else NEVER

    def measure(self, runs: Tensor) -> tuple[Evaluation, Tensor] | None:
        """Loss and metrics of the runs that are marked [R], and which [R] of them are new.

        A run is new that trains and has made a step since it was measured last. None where there is nothing
        to measure.
        """
        if self.data is None or not runs.any():
            return None
        evaluation = self._evaluate(self.data, runs)
        steps, validated = self.engine.steps_done, self.memory["validated"]
        new = self.engine.alive & runs & (steps > validated)
        validated.copy_(steps.where(new, validated))
        return evaluation, new

    def _evaluate(self, data: Dataset, runs: Tensor) -> Evaluation:
        """Evaluates all runs, at most once a step, or only those that are marked."""
        if not runs.all():
            return self.evaluate(data, runs)
        if self.latest is None or self.latest[0] < self.engine.step:
            self.latest = self.engine.step, self.evaluate(data)
        return self.latest[1]
