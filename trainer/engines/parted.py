"""The runs of a pack that still train, in one first-order engine, or in several where memory is short."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..config.pack import Pack
from ..data.dataset import Dataset
from ..models.base import Model
from .base import Engine, History, put
from .build import make_engine
from .outcome import Ending, Outcome
from .tabulated import endings_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Shard:
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
        self.step = 0
        self.most = model.runs  # of a part
        self.home: dict[str, Tensor] = {}  # where all runs stand
        self.parts = self._parts(torch.arange(model.runs, device=model.parameters.device))
        first = self.parts[0].engine
        self.kind, self.backend, self.capture, self.order = (
            first.kind, first.backend, first.capture, first.order,
        )  # fmt: skip
        self.steps = torch.cat([part.engine.steps for part in self.parts])
        self.rungs = torch.zeros_like(self.steps)
        self.home = self._home()

    @property
    def guarded(self) -> bool:
        """Memory that runs out is an exception here, so that there is something to go back to."""
        return self.model.parameters.is_cuda

    @property
    def taken(self) -> Tensor:
        return self.home["taken"]

    @property
    def alive(self) -> Tensor:
        return self.home["alive"]

    @property
    def training(self) -> Tensor:
        return self.alive & (self.taken < self.steps) & (self.rungs == 0)

    @property
    def memory(self) -> dict[str, Tensor]:
        return {**self.home, "rungs": self.rungs}

    @property
    def done(self) -> bool:
        """No run has a step to take."""
        return not self._busy()

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
        put(memory, self.memory)
        self.step = step
        if self._is_home(self.parts[0]) and not self.rungs.any():
            self.parts[0].engine.restore(step, memory)
        else:
            self._regroup()

    def endings(self, reason: str) -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, where it did."""
        endings = endings_of(self.model, self.data, self.alive, self.taken, self.steps, reason)
        for run in self.rungs.nonzero()[:, 0].tolist():
            if endings[run].outcome is Outcome.STOPPED:
                rung = int(self.rungs[run])
                endings[run] = replace(endings[run], outcome=Outcome.PRUNED, reason=self.why, rung=rung)
        return endings

    def _busy(self) -> list[Shard]:
        return [part for part in self.parts if not part.engine.done]

    def _advance(self, part: Shard, until_step: int) -> list[History]:
        """The part's steps: where the memory doesn't hold them, those of its halves, from the same start."""
        changes = self.guarded and self._is_home(part)
        before = {name: each.clone() for name, each in self.home.items()} if changes else {}
        try:
            history = part.engine.advance(until_step)
        except torch.OutOfMemoryError:
            if not self.guarded or len(part.runs) == 1:
                raise
        else:
            self._put(part)
            return [replace(history, runs=part.runs[history.runs])]
        put(before, {name: self.home[name] for name in before})
        halves = self._halves(part.runs)
        place = self.parts.index(part)
        self.parts[place : place + 1] = halves
        return [each for half in halves for each in self._advance(half, until_step)]

    def _regroup(self) -> None:
        """Engines for the runs that were not stopped alone."""
        left = (self.rungs == 0).nonzero()[:, 0]
        self.parts = [part for runs in left.split(self.most) if len(runs) for part in self._parts(runs)]

    def _parts(self, runs: Tensor) -> list[Shard]:
        """These runs in one engine, or in as many as the memory asks for."""
        try:
            return [Shard(runs, self._engine(runs))]
        except torch.OutOfMemoryError:
            if not self.guarded or len(runs) == 1:
                raise
        return self._halves(runs)

    def _halves(self, runs: Tensor) -> list[Shard]:
        """What takes the place of a part that is too large."""
        self.most = min(self.most, math.ceil(len(runs) / 2))
        log.warning("out of memory with %d runs at a time: going on with %d", len(runs), self.most)
        return [part for half in runs.split(self.most) for part in self._parts(half)]

    def _engine(self, runs: Tensor) -> Engine:
        """An engine that goes on with these runs; the first one, of all, has its home in the model itself."""
        if not self.home and len(runs) == self.model.runs:
            return make_engine(self.pack, self.model, self.data)
        engine = make_engine(self.pack.of(runs.tolist()), self.model.of(runs), self.data)
        if self.home:
            engine.restore(self.step, {name: each[runs] for name, each in self.home.items()})
        return engine

    def _home(self) -> dict[str, Tensor]:
        """The memory of all runs: that of the one engine, or a copy of those of several."""
        memories = [part.engine.memory for part in self.parts]
        if len(memories) == 1:
            return dict(memories[0])
        together = {name: torch.cat([each[name] for each in memories]) for name in memories[0]}
        return together | {"parameters": self.model.parameters.detach()}

    def _is_home(self, part: Shard) -> bool:
        """What the part's engine changes is the home."""
        return part.engine.model is self.model

    def _put(self, part: Shard) -> None:
        """Notes where the part's runs stand."""
        if not self._is_home(part):
            for name, each in part.engine.memory.items():
                self.home[name][part.runs] = each


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
