"""The step engine: a Python loop of minibatch, loss, gradient and update; on CUDA a captured graph."""

import torch
from torch import Tensor

from ...kernels.sums import sum_in_order
from ...kernels.sums.blocks import in_order
from ..data.dataset import Dataset
from ..models.base import Model
from ..optimizers import State
from ..ranks.group import ALONE, Ranks
from .plan import Plan
from .split import cut_of
from .tabulated import TabulatedEngine

WARM_UP = 3  # steps before a capture, as torch asks for


class StepEngine(TabulatedEngine):
    """Trains R runs one step after another; see Engine.

    The tables are read through `row`, a counter on the device. So the step is the same sequence of
    kernels every time, and `capture` can record it once in a CUDA graph (static) instead of launching
    it from Python each time (dynamic).

    A minibatch is `cut` into blocks, whose losses and gradients are added in their order. Of several `ranks`
    each computes some, of the samples `rows`, and all make the same update; a collective isn't captured.
    """

    kind = "step"

    def __init__(
        self,
        model: Model,
        data: Dataset,
        plan: Plan,
        every: int = 1,
        capture: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks, self.cut = ranks, cut_of(model, plan.order.batch)
        blocks, mean = self.cut.count, model.loss_kind.mean
        self.shares = [self.cut.share(block) if mean else 1.0 for block in range(blocks)]
        self.rows = slice(None) if blocks == 1 else self.cut.rows(ranks.own(blocks))
        super().__init__(model, data, plan, every)
        self.backend = self.model.backend
        self.capture = capture
        self.warm_up = WARM_UP
        self.graph: torch.cuda.CUDAGraph | None = None
        self.state = self.optimizer.start(self.model.parameters.detach())
        device = self.model.parameters.device
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        if capture:
            self.side = torch.cuda.Stream(device)  # for the warm-up and the capture

    @property
    def numbers_a_step(self) -> int:
        keys = self.model.keys(self.runs[:1])
        return max(self.order.indices_a_step, keys[0].numel())

    def _tables(self) -> tuple[Tensor, ...]:
        start, whole = self.block * self.capacity, self.order.whole
        nothing = self.runs.new_empty(self.capacity, 0)
        steps = start, start + self.capacity
        if self.ring:
            indices = self.ring.indices(*steps)
        else:
            indices = nothing if whole else self.order.indices(*steps, self.rows)
        coefficients, lr, slot = super()._tables()
        step = torch.arange(start, start + self.capacity, device=self.runs.device)
        wanted, keys = step[:, None] < self.steps, self.model.keys(step)
        return coefficients[..., self.rates.setting, None], lr, slot, wanted, indices, keys

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go: of a stream no further than a window."""
        return min(super().horizon, self.ring.within(self.step)) if self.ring else super().horizon

    def _execute(self, first: int, count: int) -> None:
        if self.ring:
            start = self.block * self.capacity + first
            self.ring.hold(self.ring.reach(start, start + count))
        self.row.fill_(first)
        for _ in range(count):
            self._go()

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
            # A thread may be copying a checkpoint meanwhile, which a capture of all threads would refuse.
            with torch.cuda.graph(self.graph, stream=self.side, capture_error_mode="thread_local"):
                self._step()
            self.graph.replay()

    def _step(self) -> None:
        coefficients, _, slot, wanted, indices, keys = (t.index_select(0, self.row)[0] for t in self.tables)
        parameters = self.model.parameters
        loss, gradient = self._loss_and_gradient(indices, keys)
        with torch.no_grad():
            active = wanted & self.alive
            norm = sum_in_order(gradient.double().square(), self.backend).sqrt().to(gradient.dtype)
            self.last.copy_(loss.masked_fill(~active, torch.nan))
            self._record(slot, self.last, norm, parameters[:, self.columns])
            if self.clip_norm is not None:
                shrink = (self.clip_norm / (norm + 1e-6)).masked_fill(norm <= self.clip_norm, 1)
                gradient = gradient * shrink[:, None]
            new, state = self.optimizer.update(parameters, gradient, self.state, coefficients)
            self._keep(loss, new, state, active)
            self.row += 1

    def _loss_and_gradient(self, indices: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the mean over the minibatch, or of the sum: [R], [R, P]."""
        if self.cut.count == 1:
            return self.model.loss_and_gradient(*self._minibatch(indices), keys=keys)
        parts = self.model.by_blocks(self.cut, self.ranks, *self._minibatch(indices), keys=keys)
        total = in_order(parts, self.shares).to(self.model.parameters.dtype)
        return total[:, 0], total[:, 1:]

    def _minibatch(self, indices: Tensor) -> list[Tensor]:
        """Inputs, targets and, where there are any, weights: of the samples that this rank has."""
        place = self.ring.samples if self.ring else self.data
        data = [place.inputs, place.targets]
        if self.weights is not None:
            data.append(self.weights)
        if self.order.whole:
            return [part[..., self.rows, :] for part in data[:2]] + [
                part[..., self.rows] for part in data[2:]
            ]
        if indices.dim() == 1:
            return [part.index_select(int(self.data.of_runs), indices) for part in data]
        if self.data.of_runs:
            return [part[self.runs[:, None], indices] for part in data]
        return [part[indices] for part in data]

    def _record(self, slot: Tensor, *values: Tensor) -> None:
        for part, value in zip(self.history, values, strict=True):
            part.index_copy_(0, slot[None], value[None])

    def _keep(self, loss: Tensor, new: Tensor, state: State, active: Tensor) -> None:
        """Takes the step in each run in which all of it is finite; a run in which it isn't has diverged."""
        finite = torch.cat([loss[:, None], new, *state.values()], 1).isfinite().all(1)
        going = active & finite
        self.alive &= going | ~active
        self.steps_done += going
        for old, value in [(self.model.parameters, new), *((self.state[k], state[k]) for k in state)]:
            old.copy_(torch.where(going[:, None], value, old))
