"""search.pruner at work: the runs of a pack that still train are measured at its rungs, and some stopped."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from ..config.pack import Pack
from ..config.schema import SearchConfig
from ..data.dataset import Data
from ..engines.base import Engine
from ..engines.parted import PartedEngine
from ..folder.ranking import Objective
from ..models.evaluate import Evaluation, evaluate_only
from .objective import make_objective
from .pruner import WHY, Pruner, make_pruner


class Judge:
    """Stops runs of `engine` where its `pruner` says so, by their objective on `data`."""

    def __init__(self, engine: PartedEngine, pruner: Pruner, objective: Objective, data: Data) -> None:
        self.engine, self.pruner, self.objective, self.data = engine, pruner, objective, data
        self.part = data.train if objective.name == "loss.train" else data.validation or data.train

    @property
    def memory(self) -> Mapping[str, Tensor]:
        return self.pruner.memory

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Goes on from `step` as the judge would have whose memory that was."""
        self.pruner.restore(memory)

    def next(self, step: int) -> int:
        """The step after `step` at which to judge."""
        return self.pruner.next(step)

    def judge(self, held: Evaluation | None) -> None:
        """At the engine's step; `held` is what its runs came to on the validation part, if that is known."""
        training = self.engine.training
        known = held if self.part is self.data.validation else None
        found = known or evaluate_only(self.engine.model, self.part, training, metrics=self._metrics)
        leaving = self.pruner.leaving(self._costs(found), training)
        if bool(leaving.any()):
            self.engine.stop(leaving, self.pruner.rung(self.engine.step))

    @property
    def _metrics(self) -> bool:
        return self.objective.name.startswith("metrics.")

    def _costs(self, found: Evaluation) -> Tensor:
        """What is small for a good run [R]: in float32, where the order of sums in float64 doesn't show."""
        values = found.metrics[self.objective.name.partition(".")[2]] if self._metrics else found.loss
        costs = -values if self.objective.maximized else values
        return costs.to(torch.float32)


def make_judge(engine: Engine, pack: Pack, data: Data) -> Judge | None:
    """The judge that search.pruner asks for, of all runs of the pack. Raises UserError."""
    if pack.config.search.pruner is None:
        return None
    assert isinstance(engine, PartedEngine)
    return Judge(engine, make_pruner(pack.config, engine.steps), make_objective(pack.config), data)


def why(asked: SearchConfig) -> str:
    """Why the pruner stops a run."""
    return WHY[asked.pruner].format(**asdict(asked)) if asked.pruner else ""
