"""model.best: the parameters that each run had at its best validation."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..engines.base import Engine, put
from ..models.base import Model
from ..models.evaluate import Evaluation


class Best:
    """Keeps the parameters of each run of `engine` from its validation with the least loss.

    `memory` is {"loss": [R], "step": [R], "parameters": [R, P]}: the least loss, infinite where there is none
    yet, the run's steps then (-1), and what its parameters were. A run's depend on that run alone.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        steps = engine.steps_done
        self.memory = {
            "loss": torch.full_like(steps, torch.inf, dtype=torch.float64),
            "step": torch.full_like(steps, -1),
            "parameters": engine.model.parameters.detach().clone(),
        }

    def restore(self, memory: Mapping[str, Tensor]) -> None:
        """Restores a saved state. Raises ValueError where it doesn't fit."""
        put(memory, self.memory)

    def keep(self, evaluation: Evaluation) -> None:
        """Keeps the parameters of the runs whose loss is less than at their best so far; NaN is of no run."""
        put(self._with(evaluation), self.memory)

    def chosen(self, evaluation: Evaluation | None) -> tuple[Model, Tensor]:
        """The models of each run's best step, and that step [R].

        `evaluation` is that of the runs as they stand, which may be their best. A run that never had a finite
        loss there has the step -1, and the parameters that it stands at.
        """
        memory, now = self._with(evaluation) if evaluation else self.memory, self.engine.model
        model = now.of(torch.ones_like(self.engine.alive))
        known = (memory["step"] >= 0)[:, None]
        model.parameters.detach().copy_(memory["parameters"].where(known, now.parameters.detach()))
        return model, memory["step"]

    def _with(self, evaluation: Evaluation) -> dict[str, Tensor]:
        """The memory after an evaluation of the runs as they stand; those that have diverged don't count."""
        engine, (loss, step, parameters) = self.engine, self.memory.values()
        better = engine.alive & (evaluation.loss < loss)
        return {
            "loss": evaluation.loss.double().where(better, loss),
            "step": engine.steps_done.where(better, step),
            "parameters": engine.model.parameters.detach().where(better[:, None], parameters),
        }
