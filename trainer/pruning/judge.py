"""search.pruner at work: the runs of a pack that still train are measured at its rungs, and some stopped."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from ..config.pack import Pack
from ..config.schema import SearchConfig
from ..data.dataset import Data
from ..engines.base import Engine, PrunableEngine
from ..engines.measure import Alone, Measure
from ..folder.objective import Objective
from ..models.evaluate import Evaluation
from .objective import make_objective
from .pruner import WHY, Pruner, make_pruner


class Judge:
    """Stops runs of `engine` where its `pruner` says so, by their objective on `data`."""

    def __init__(
        self,
        engine: PrunableEngine,
        pruner: Pruner,
        objective: Objective,
        data: Data,
        evaluate: Measure | None = None,
    ) -> None:
        self.engine, self.pruner, self.objective, self.data = engine, pruner, objective, data
        self.evaluate = evaluate or Alone(engine)
        self.part = data.train if objective.name == "loss.train" else data.validation or data.train

    @property
    def memory(self) -> Mapping[str, Tensor]:
        return self.pruner.memory

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps."""
        self.pruner.restore(memory)

    def next(self, step: int) -> int:
        """The step after `step` at which to judge."""
        return self.pruner.next(step)

    def judge(self, validation: Evaluation | None) -> None:
        """Stops runs at the engine's step; `validation` is the evaluation there, if there is one."""
        training = self.engine.training
        known = validation if self.part is self.data.validation else None
        evaluation = known or self.evaluate(self.part, training, metrics=self._metrics)
        leaving = self.pruner.leaving(self._costs(evaluation), training)
        if bool(leaving.any()):
            self.engine.stop(leaving, self.pruner.rung(self.engine.step))

    @property
    def _metrics(self) -> bool:
        return self.objective.name.startswith("metrics.")

    def _costs(self, evaluation: Evaluation) -> Tensor:
        """The objective as a cost [R], small for a good run; float32 hides in which order sums were taken."""
        name = self.objective.name.partition(".")[2]
        values = evaluation.metrics[name] if self._metrics else evaluation.loss
        costs = -values if self.objective.maximized else values
        return costs.to(torch.float32)


def make_judge(engine: Engine, pack: Pack, data: Data, evaluate: Measure | None = None) -> Judge | None:
    """The judge that search.pruner asks for, of all runs of the pack; None without one. Raises UserError.

    `evaluate` measures runs, where these aren't the engine's alone.

    >>> from packtrain.trainer.config.schema import Config
    >>> make_judge(engine=None, pack=Pack(Config(), {}, 1), data=None) is None
    True
    """
    if pack.config.search.pruner is None:
        return None
    assert isinstance(engine, PrunableEngine)
    return Judge(engine, make_pruner(pack.config, engine.steps), make_objective(pack.config), data, evaluate)


def why(config: SearchConfig) -> str:
    """Why the pruner stops a run; '' without one.

    >>> why(SearchConfig(pruner="patience", patience=2))
    'it had not improved for 2 rungs'
    """
    return WHY[config.pruner].format(**asdict(config)) if config.pruner else ""
