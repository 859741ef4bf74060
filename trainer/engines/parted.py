"""The runs of a pack that still train, in one first-order engine, or in several where memory is short."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer.data.dataset import Dataset
from trainer.engines.base import Engine, History, put
from trainer.engines.build import make_engine
from trainer.models.base import Model
from trainer.outcome import Ending, Outcome
from trainer.pack import Pack

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Part:
    """An engine, and which `runs` [K] of the pack it trains."""

    runs: Tensor
    engine: Engine


class PartedEngine:
    """Trains R runs, of which some are stopped on the way; see Engine.

    The runs that are stopped leave: they cost nothing more, and the others go on as they would have with
    them. What is too much for the device's memory at a time is trained in halves. `rungs` [R] says at which
    rung a run was stopped, 0 where it was not, and `why` is the reason that its outcome gives.
    """

    def __init__(self, pack: Pack, model: Model, data: Dataset, why: str = "") -> None:
        self.pack, self.model, self.data, self.why = pack, model, data, why
        self.whole = make_engine(pack, model, data)  # its memory is where all runs stand
        self.kind, self.backend, self.capture = self.whole.kind, self.whole.backend, self.whole.capture
        self.order, self.steps = self.whole.order, self.whole.steps
        self.rungs = torch.zeros_like(self.steps)
        self.step = 0
        self.most = model.runs  # of a part
        self.guarded = model.parameters.is_cuda  # where memory that runs out is an exception
        self.parts = [Part(torch.arange(model.runs, device=self.steps.device), self.whole)]

    @property
    def taken(self) -> Tensor:
        return self.whole.taken

    @property
    def alive(self) -> Tensor:
        return self.whole.alive

    @property
    def training(self) -> Tensor:
        return self.whole.training & (self.rungs == 0)

    @property
    def memory(self) -> dict[str, Tensor]:
        return {**self.whole.memory, "rungs": self.rungs}

    @property
    def done(self) -> bool:
        """No run has a step to take."""
        return not self._busy()

    @property
    def compiles(self) -> bool:
        """The first steps are going to be compiled, which takes seconds."""
        return self.whole.compiles

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go."""
        engines = [part.engine for part in self._busy()]
        return min(min(each.horizon, int(each.steps.max())) for each in engines)

    def advance(self, until_step: int) -> History:
        """Trains every run that was not stopped up to `until_step` and says what happened on the way."""
        histories = [each for part in self._busy() for each in self._advance(part, until_step)]
        self.step = until_step
        return _joined(histories)

    def stop(self, runs: Tensor, rung: int) -> None:
        """Lets the runs [R] that are marked go, at this rung (from 1)."""
        self.rungs.masked_fill_(runs & (self.rungs == 0), rung)
        self._regroup()

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Goes on from `step` as the engine would have whose memory that was."""
        self.whole.restore(step, memory)
        put(memory, {"rungs": self.rungs})
        self.step = step
        if bool(self.rungs.any()):
            self._regroup()

    def endings(self, reason: str) -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, where it did."""
        endings = self.whole.endings(reason)
        for run in self.rungs.nonzero()[:, 0].tolist():
            if endings[run].outcome is Outcome.STOPPED:
                rung = int(self.rungs[run])
                endings[run] = replace(endings[run], outcome=Outcome.PRUNED, reason=self.why, rung=rung)
        return endings

    def _busy(self) -> list[Part]:
        return [part for part in self.parts if not part.engine.done]

    def _advance(self, part: Part, until_step: int) -> list[History]:
        """The part's steps: where the memory doesn't hold them, those of its halves, from the same start."""
        memory = part.engine.memory.items() if self.guarded else ()
        before = {name: each.clone() for name, each in memory}
        try:
            history = part.engine.advance(until_step)
        except torch.OutOfMemoryError:
            if not before or len(part.runs) == 1:
                raise
        else:
            if part.engine is not self.whole:
                self._put(part.runs, part.engine.memory)
            return [replace(history, runs=part.runs[history.runs])]
        self._put(part.runs, before)
        return [each for half in self._halves(part) for each in self._advance(half, until_step)]

    def _halves(self, part: Part) -> list[Part]:
        """What takes the place of a part that is too large."""
        self.most = min(self.most, math.ceil(len(part.runs) / 2))
        log.warning("out of memory with %d runs at a time: going on with %d", len(part.runs), self.most)
        halves = [self._part(runs) for runs in part.runs.split(self.most)]
        place = self.parts.index(part)
        self.parts[place : place + 1] = halves
        return halves

    def _regroup(self) -> None:
        """Engines for the runs that were not stopped alone."""
        left = (self.rungs == 0).nonzero()[:, 0]
        self.parts = [self._part(runs) for runs in left.split(self.most) if len(runs)]

    def _part(self, runs: Tensor) -> Part:
        """An engine that goes on with these runs."""
        engine = make_engine(self.pack.of(runs.tolist()), self.model.of(runs), self.data)
        engine.restore(self.step, {name: each[runs] for name, each in self.whole.memory.items()})
        return Part(runs, engine)

    def _put(self, runs: Tensor, memory: Mapping[str, Tensor]) -> None:
        """Notes where these runs stand."""
        whole = self.whole.memory
        for name, each in memory.items():
            whole[name][runs] = each


def _joined(histories: Sequence[History]) -> History:
    """The histories of several parts as one."""
    if len(histories) == 1:
        return histories[0]
    first = histories[0]

    def cat(name: str, axis: int) -> Tensor:
        return torch.cat([getattr(each, name) for each in histories], axis)

    rates = {name: torch.cat([each.rates[name] for each in histories], 1) for name in first.rates}
    return History(
        first.steps,
        cat("runs", 0),
        cat("loss", 1),
        cat("gradient_norm", 1),
        rates,
        cat("scalars", 1),
        cat("last", 0),
        sum(each.samples for each in histories),
    )
