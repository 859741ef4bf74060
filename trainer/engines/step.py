"""The step engine: a Python loop of minibatch, loss, gradient and update; on CUDA a captured graph."""

import torch
from torch import Tensor

from trainer.data.dataset import Dataset
from trainer.data.order import Order
from trainer.engines.base import History
from trainer.models.base import Model
from trainer.optimizers import Optimizer, Schedule, State
from trainer.outcome import Ending, Outcome

MOST_STEPS = 256  # of one block
MOST_NUMBERS = 1 << 23  # in the largest table of one block
COLUMNS = 8  # numbers a run and step in the tables and the history, beside the scalars
WARM_UP = 3  # steps before a capture, as torch asks for


class StepEngine:
    """Trains R runs one step after another; see Engine.

    What depends on the step alone (minibatches, learning rates, who still trains) is tabulated for a
    block of steps at a time, outside the step, and read through `row`, a counter on the device. So
    the step is the same sequence of kernels every time, and `capture` can record it once in a CUDA
    graph (static) instead of launching it from Python each time (dynamic).
    """

    kind = "step"

    def __init__(
        self,
        model: Model,
        data: Dataset,
        order: Order,
        optimizer: Optimizer,
        schedule: Schedule,
        lr: Tensor,
        steps: Tensor,
        clip_norm: Tensor | None = None,
        capture: bool = False,
    ) -> None:
        self.model, self.data, self.order = model, data, order
        self.backend = model.backend
        self.optimizer, self.schedule = optimizer, schedule
        self.lr, self.steps = lr, steps
        self.clip_norm = clip_norm
        self.capture = capture
        self.warm_up = WARM_UP
        self.graph: torch.cuda.CUDAGraph | None = None
        self.step = 0
        device = model.parameters.device
        if capture:
            self.side = torch.cuda.Stream(device)  # for the warm-up and the capture
        self.state = optimizer.start(model.parameters.detach())
        self.alive = torch.ones(model.runs, dtype=torch.bool, device=device)
        self.taken = torch.zeros(model.runs, dtype=torch.int64, device=device)
        self.runs = torch.arange(model.runs, device=device)
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        self.columns = torch.tensor(list(model.scalars.values()), dtype=torch.int64, device=device)
        row = max(order.indices_a_step, model.runs * (len(model.scalars) + COLUMNS))
        self.capacity = max(1, min(MOST_STEPS, MOST_NUMBERS // row))
        self.block = 0
        self.tables = self._tables()
        self.history = self._empty_history()

    @property
    def done(self) -> bool:
        """No run has a step to take: each has made its last one or diverged."""
        return self.step >= int(self.steps.max()) or not bool(self.alive.any())

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
        start, first = self.step, self.step % self.capacity
        self.row.fill_(first)
        for _ in range(until_step - start):
            self._go()
        self.step = until_step
        rows = slice(first, first + until_step - start)
        loss, norm, scalars = (part[rows].clone() for part in self.history)
        return History(start, self.runs, loss, norm, {"lr": self.tables[2][rows].clone()}, scalars)

    def endings(self, reason: str) -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, where it did."""

        def ending(alive: bool, taken: int, steps: int) -> Ending:
            if not alive:
                return Ending(Outcome.DIVERGED, taken, steps)
            if taken < steps:
                return Ending(Outcome.STOPPED, taken, steps, reason)
            return Ending(Outcome.FINISHED, taken, steps)

        told = self.alive.tolist(), self.taken.tolist(), self.steps.tolist()
        return [ending(*each) for each in zip(*told, strict=True)]

    def _tables(self) -> tuple[Tensor, ...]:
        """A row for each step of the block: minibatch, coefficients [K, R, 1], lr [R], wanted [R].

        The block's steps and so the tables' shapes are always the same: the vectorized cosine rounds
        by the place in its array, and how a training is cut into slices must not change a bit.
        """
        start = self.block * self.capacity
        step = torch.arange(start, start + self.capacity, device=self.row.device)
        lr = self.lr * self.schedule(step)
        coefficients = self.optimizer.table(lr, step).to(self.model.parameters.dtype)
        indices = step[:, None] if self.order.whole else self.order.indices(start, start + self.capacity)
        return indices, coefficients[..., None], lr, step[:, None] < self.steps

    def _empty_history(self) -> tuple[Tensor, ...]:
        rows, runs = self.capacity, self.model.runs
        like = self.model.parameters.detach()
        columns = (runs,), (runs,), (runs, len(self.columns))
        return tuple(like.new_zeros(rows, *shape) for shape in columns)

    def _go(self) -> None:
        """One step: replayed from the graph where there is one, else launched."""
        if not self.capture:
            self._step()
        elif self.graph is not None:
            self.graph.replay()
        elif self.warm_up:
            self.warm_up -= 1
            self.side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.side):
                self._step()
            torch.cuda.current_stream().wait_stream(self.side)
        else:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=self.side):
                self._step()
            self.graph.replay()

    def _step(self) -> None:
        indices, coefficients, _, wanted = (t.index_select(0, self.row)[0] for t in self.tables)
        parameters = self.model.parameters
        loss = self.model.loss(*self._minibatch(indices))
        (gradient,) = torch.autograd.grad(loss.sum(), parameters)
        with torch.no_grad():
            active = wanted & self.alive
            norm = torch.linalg.vector_norm(gradient, dim=1, dtype=torch.float64).to(gradient.dtype)
            self._record(loss.masked_fill(~active, torch.nan), norm, parameters[:, self.columns])
            if self.clip_norm is not None:
                shrink = (self.clip_norm / (norm + 1e-6)).masked_fill(norm <= self.clip_norm, 1)
                gradient = gradient * shrink[:, None]
            new, state = self.optimizer.update(parameters, gradient, self.state, coefficients)
            self._keep(loss, new, state, active)
            self.row += 1

    def _minibatch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = self.data.inputs, self.data.targets
        if self.order.whole:
            return inputs, targets
        if indices.dim() == 1:
            return inputs.index_select(0, indices), targets.index_select(0, indices)
        return inputs[indices], targets[indices]

    def _record(self, *values: Tensor) -> None:
        for part, value in zip(self.history, values, strict=True):
            part.index_copy_(0, self.row, value[None])

    def _keep(self, loss: Tensor, new: Tensor, state: State, active: Tensor) -> None:
        """Takes the step in each run in which all of it is finite; a run in which it isn't has diverged."""
        finite = torch.cat([loss[:, None], new, *state.values()], 1).isfinite().all(1)
        kept = active & finite
        self.alive &= kept | ~active
        self.taken += kept
        for old, value in [(self.model.parameters, new), *((self.state[k], state[k]) for k in state)]:
            old.copy_(torch.where(kept[:, None], value, old))
