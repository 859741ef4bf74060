"""What the first-order engines share: tables of what depends on the step alone, history, endings."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.order import Order
from ..data.stream.ring import Ring
from ..data.stream.rings import ring_of
from ..data.stream.streamed import Streamed
from ..models.base import Model
from ..optimizers import State
from .base import History, put, recorded
from .outcome import Ending, Outcome
from .plan import Plan
from .rows import Row, Rows

MOST_STEPS = 256  # of one block
MOST_NUMBERS = 1 << 23  # in the largest table of one block
COLUMNS = 8  # numbers a run and step in the tables and the history, beside the scalars


class TabulatedEngine(ABC):
    """Trains R runs by first-order steps; see Engine.

    What depends on the step alone (minibatches, learning rates, who still trains) is tabulated for a
    block of steps at a time: `tables` has a row for each step of the block. `history` has one for each
    step that is recorded, which are those that `every` divides, and a last one for all others. `state` is
    what the optimizer remembers, `rows` the samples of a minibatch that are computed here.
    """

    kind: str
    backend: str
    capture: bool
    alive: Tensor
    steps_done: Tensor
    state: State
    rows = slice(None)

    def __init__(
        self,
        model: Model,
        data: Dataset,
        plan: Plan,
        every: int = 1,
    ) -> None:
        self.model, self.data, self.order = model, data, plan.order
        self.optimizer, self.rates = plan.optimizer, plan.rates
        self.steps = plan.steps
        self.ring = _ring(data, plan.order, self.rows)
        self.weights = None if data.weights is None else data.weights.to(model.parameters.dtype)
        self.clip_norm = plan.clip_norm
        self.batches = torch.full_like(plan.steps, plan.order.batch)
        self.every = every
        self.step = 0
        device = model.parameters.device
        self.alive = torch.ones(model.runs, dtype=torch.bool, device=device)
        self.steps_done = torch.zeros(model.runs, dtype=torch.int64, device=device)
        self.runs = torch.arange(model.runs, device=device)
        self.columns = torch.tensor(list(model.scalars.values()), dtype=torch.int64, device=device)
        row = max(self.numbers_a_step, model.runs * (len(model.scalars) + COLUMNS))
        most = min(MOST_STEPS, MOST_NUMBERS // row)
        self.capacity = _power_of_2(most if self.ring is None else min(most, self.ring.most_steps))
        self.block = 0
        self.tables = self._tables()
        self.history = self._empty_history()
        self.last = torch.empty_like(self.history[0][0])

    @property
    @abstractmethod
    def numbers_a_step(self) -> int:
        """How many numbers of a block's tables a step's minibatch takes, or what it drops."""

    @abstractmethod
    def _execute(self, first: int, count: int) -> None:
        """Makes the steps of rows first..first+count-1 of the tables, and writes them into the history."""

    @property
    def done(self) -> bool:
        """No run has a step to take: each has made its last one or diverged."""
        return self.step >= int(self.steps.max()) or not bool(self.alive.any())

    @property
    def training(self) -> Tensor:
        """Which runs have a step to take: [R]."""
        return self.alive & (self.steps_done < self.steps)

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that the steps change: [R, ...] by name."""
        changed = {
            "parameters": self.model.parameters.detach(),
            "alive": self.alive,
            "taken": self.steps_done,
        }
        return changed | {f"optimizer.{name}": part for name, part in self.state.items()}

    @property
    def recorded_steps(self) -> int:
        """The most steps of a block that are recorded."""
        return math.ceil(self.capacity / self.every)

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go: the end of the tables."""
        return self.step - self.step % self.capacity + self.capacity

    def advance(self, until_step: int) -> History:
        """Trains every run up to `until_step`, at most the horizon, and says what happened on the way."""
        assert self.step < until_step <= self.horizon
        if self.step // self.capacity != self.block:
            self.block = self.step // self.capacity
            for table, new in zip(self.tables, self._tables(), strict=True):
                table.copy_(new)
        start = self.step
        self._execute(start % self.capacity, until_step - start)
        self.step = until_step
        return self._history(start)

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps."""
        put(memory, self.memory)
        self.step = step

    def endings(self, reason: str, pruned: str = "") -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, where it did."""
        return endings_of(self.alive, self.steps_done, self.steps, reason, {}, self.data.faults)

    def report(self, rows: Rows) -> Row:
        """Adds nothing to the rows."""
        return {}

    def _history(self, start: int) -> History:
        """What was recorded since the step `start`."""
        first = self.block * self.capacity
        steps = recorded(start, self.step, self.every)
        rows = slice(*(len(recorded(first, end, self.every)) for end in (start, self.step)))
        loss, norm, scalars = (part[rows].clone() for part in self.history)
        lr = self.tables[1][steps.start - first : self.step - first : self.every, self.rates.setting]
        samples = (self.step - start) * self.model.runs * self.order.batch
        return History(steps, self.runs, loss, norm, {"lr": lr}, scalars, self.last.clone(), samples)

    def _tables(self) -> tuple[Tensor, ...]:
        """A row for each step of the block: coefficients [K, U] and lr [U] of the settings, slot []."""
        start = self.block * self.capacity
        step = torch.arange(start, start + self.capacity)
        lr, coefficients = (part.to(self.runs.device) for part in self.rates(step))
        slot = step // self.every - math.ceil(start / self.every)
        slots = slot.masked_fill(step % self.every != 0, self.recorded_steps)
        return coefficients.to(self.model.parameters.dtype), lr, slots.to(self.runs.device)

    def _empty_history(self) -> tuple[Tensor, ...]:
        rows, runs = self.recorded_steps + 1, self.model.runs
        like = self.model.parameters.detach()
        columns = (runs,), (runs,), (runs, len(self.columns))
        return tuple(like.new_zeros(rows, *shape) for shape in columns)


def endings_of(
    alive: Tensor,
    steps_done: Tensor,
    steps: Tensor,
    reason: str,
    diverged: Mapping[int, object],
    unusable: Mapping[int, str],
) -> list[Ending]:
    """How runs [R] ended that have done `steps_done` of their `steps`, [R] each.

    `diverged` says of runs why they did, and `unusable` of others why their data are of no use.

    >>> alive, nine = torch.tensor([True, False]), torch.tensor([9, 9])
    >>> for ending in endings_of(alive, nine - 1, nine, "SIGINT came", {1: "step 8: a is infinite"}, {}):
    ...     print(ending.message)
    stopped after 8 of 9 steps: SIGINT came
    step 8: a is infinite; kept are the values before it
    """

    def ending(run: int, alive: bool, done: int, steps: int) -> Ending:
        if run in unusable:
            return Ending(Outcome.FAILED, done, steps, unusable[run])
        if not alive:
            return Ending(Outcome.DIVERGED, done, steps, str(diverged.get(run, "")))
        if done < steps:
            return Ending(Outcome.STOPPED, done, steps, reason)
        return Ending(Outcome.FINISHED, done, steps)

    columns = range(len(alive)), alive.tolist(), steps_done.tolist(), steps.tolist()
    return [ending(*run) for run in zip(*columns, strict=True)]


def _ring(data: Dataset, order: Order, rows: slice) -> Ring | None:
    """Where the samples of a stream are while it trains; None of samples in memory."""
    return ring_of(data.stream, order, rows) if isinstance(data, Streamed) else None


def _power_of_2(most: int) -> int:
    """The largest power of 2 up to `most`, at least 1: so that a longer block ends where shorter ones do."""
    return 1 << max(1, most).bit_length() - 1
