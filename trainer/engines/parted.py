"""The runs of a pack that still train, in one first-order engine, or in several where memory is short."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..config.pack import Pack
from ..data.dataset import Dataset
from ..models.base import Model
from .base import Engine, History, put
from .diverged import divergences
from .merged import joined
from .outcome import Ending, Outcome
from .rows import Row, Rows
from .tabulated import endings_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Shard:
    """An engine, and which `runs` [K] of the pack it trains."""

    runs: Tensor
    engine: Engine


Make = Callable[[Pack, Model, Dataset], Engine]


class PartedEngine:
    """Trains R runs, of which some are stopped on the way; see Engine.

    Runs that are stopped leave: they cost nothing more, and the others go on as they would have with them.
    Of groups, those with equally many samples are a shard, and those with none are never trained. What is
    too much for the device's memory at a time is trained in halves, unless it is to be `undivided`. `make`
    makes the engine of a shard.
    `state` is the memory of all runs: that of the engine where there is one, else a copy, into which
    each shard's is put. `rungs` [R] says at which rung a run was stopped, 0 where it was not.
    """

    def __init__(self, pack: Pack, model: Model, data: Dataset, make: Make, undivided: bool = False) -> None:
        self.pack, self.model, self.data, self.make = pack, model, data, make
        self.undivided = undivided
        self.step = 0
        self.most_runs = model.runs  # of a shard
        self.state: dict[str, Tensor] = {}
        self.shards = self._shards(torch.arange(model.runs, device=model.parameters.device))
        first = self.shards[0].engine
        self.kind, self.backend, self.capture, self.order = (
            first.kind, first.backend, first.capture, first.order,
        )  # fmt: skip
        self.steps = self._of_all([shard.engine.steps for shard in self.shards])
        self.batches = self._of_all([shard.engine.batches for shard in self.shards])
        self.rungs = torch.zeros_like(self.steps)
        self.state = self._whole_state()

    @property
    def guarded(self) -> bool:
        """Whether memory that runs out is an exception here, after which smaller parts can be tried."""
        return self.model.parameters.is_cuda and not self.undivided

    @property
    def steps_done(self) -> Tensor:
        """Of each run: [R]."""
        return self.state["taken"]

    @property
    def alive(self) -> Tensor:
        """Which runs haven't diverged: [R]."""
        return self.state["alive"]

    @property
    def training(self) -> Tensor:
        """Which runs have a step to take: [R]."""
        return self.alive & (self.steps_done < self.steps) & (self.rungs == 0)

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that the steps change: [R, ...] by name."""
        return {**self.state, "rungs": self.rungs}

    @property
    def done(self) -> bool:
        """No run has a step to take."""
        return not self._busy()

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go."""
        engines = [shard.engine for shard in self._busy()]
        return min(min(engine.horizon, int(engine.steps.max())) for engine in engines)

    def advance(self, until_step: int) -> History:
        """Trains every run that was not stopped up to `until_step` and says what happened on the way."""
        histories = [made for shard in self._busy() for made in self._advance(shard, until_step)]
        self.step = until_step
        return joined(histories)

    def stop(self, runs: Tensor, rung: int) -> None:
        """Stops the marked `runs` [R] at this rung, counted from 1."""
        self.rungs.masked_fill_(runs & (self.rungs == 0), rung)
        self._regroup()

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps."""
        put(memory, self.memory)
        self.step = step
        if self._is_whole(self.shards[0]) and not self.rungs.any():
            self.shards[0].engine.restore(step, memory)
        else:
            self._regroup()

    def endings(self, reason: str, pruned: str = "") -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, `pruned` why runs were pruned."""
        known = self.data.faults
        runs = [run for run in (~self.alive).nonzero()[:, 0].tolist() if run not in known]
        diverged = divergences(self.pack, self.model, self.data, runs, self.state)
        endings = endings_of(self.alive, self.steps_done, self.steps, reason, diverged, known)
        for run in self.rungs.nonzero()[:, 0].tolist():
            if endings[run].outcome is Outcome.STOPPED:
                rung = int(self.rungs[run])
                endings[run] = replace(endings[run], outcome=Outcome.PRUNED, reason=pruned, rung=rung)
        return endings

    def report(self, rows: Rows) -> Row:
        """Adds nothing to the rows."""
        return {}

    def _busy(self) -> list[Shard]:
        return [shard for shard in self.shards if not shard.engine.done]

    def _advance(self, shard: Shard, until_step: int) -> list[History]:
        """Makes the shard's steps; where the memory is too small, those of its halves from the same state."""
        changes = self.guarded and self._is_whole(shard)
        before = {name: part.clone() for name, part in self.state.items()} if changes else {}
        try:
            history = shard.engine.advance(until_step)
        except torch.OutOfMemoryError:
            if not self.guarded or len(shard.runs) == 1:
                raise
        else:
            self._put(shard)
            return [replace(history, runs=shard.runs[history.runs])]
        put(before, {name: self.state[name] for name in before})
        halves = self._halves(shard.runs)
        place = self.shards.index(shard)
        self.shards[place : place + 1] = halves
        return [made for half in halves for made in self._advance(half, until_step)]

    def _regroup(self) -> None:
        """Makes new engines, for the runs that were not stopped."""
        left = (self.rungs == 0).nonzero()[:, 0]
        self.shards = [
            shard for runs in left.split(self.most_runs) if len(runs) for shard in self._shards(runs)
        ]

    def _shards(self, runs: Tensor) -> list[Shard]:
        """These runs in one engine, or in as many as groups of unlike size and the memory ask for."""
        segments = self.data.segments
        if segments is None:
            return self._of_memory(runs)
        alike = (runs[places] for places, samples in segments.of(runs).sizes() if samples)
        return [shard for some in alike for shard in self._of_memory(some)]

    def _of_memory(self, runs: Tensor) -> list[Shard]:
        try:
            return [Shard(runs, self._engine(runs))]
        except torch.OutOfMemoryError:
            if not self.guarded or len(runs) == 1:
                raise
        return self._halves(runs)

    def _halves(self, runs: Tensor) -> list[Shard]:
        """What takes the place of a shard that is too large."""
        self.most_runs = min(self.most_runs, math.ceil(len(runs) / 2))
        log.warning("out of memory with %d runs at a time: going on with %d", len(runs), self.most_runs)
        return [shard for half in runs.split(self.most_runs) for shard in self._shards(half)]

    def _engine(self, runs: Tensor) -> Engine:
        """An engine that goes on with these runs; the first one, of all, changes the model itself."""
        data = self.data if self.data.segments is None else next(self.data.of(runs).alike())[1]
        if not self.state and len(runs) == self.model.runs:
            return self.make(self.pack, self.model, data)
        engine = self.make(self.pack.of(runs.tolist()), self.model.of(runs), data)
        if self.state:
            engine.restore(self.step, {name: part[runs] for name, part in self.state.items()})
        return engine

    def _whole_state(self) -> dict[str, Tensor]:
        """The memory of all runs: that of the one engine, or a copy of those of several."""
        memories = [shard.engine.memory for shard in self.shards]
        if len(memories) == 1 and self._is_whole(self.shards[0]):
            return dict(memories[0])
        names = dict.fromkeys(name for memory in memories for name in memory)
        together = {name: self._of_all([_part(memory, name) for memory in memories]) for name in names}
        return together | {"parameters": self.model.parameters.detach()}

    def _of_all(self, parts: list[Tensor]) -> Tensor:
        """What the shards have of their runs, of all runs: 0 of those that are in no shard."""
        whole = parts[0].new_zeros(self.model.runs, *parts[0].shape[1:])
        for shard, part in zip(self.shards, parts, strict=True):
            whole[shard.runs] = part
        return whole

    def _is_whole(self, shard: Shard) -> bool:
        """Whether the shard's engine trains the model of all runs, and so changes `state` itself."""
        return shard.engine.model is self.model

    def _put(self, shard: Shard) -> None:
        """Copies the memory of the shard's engine into that of all runs."""
        if not self._is_whole(shard):
            for name, part in shard.engine.memory.items():
                self.state[name][shard.runs] = part


def _part(memory: Mapping[str, Tensor], name: str) -> Tensor:
    """The runs' part of a memory; of a state that matters in other runs alone, 0."""
    return memory[name] if name in memory else torch.zeros_like(memory["parameters"])
