"""The fused engine: many steps of every run inside one compiled loop."""

from typing import Any

from kernels.fused.block import Batches, Block, Record, Runs, Shuffle
from kernels.fused.compiled import Descent
from kernels.fused.gather import gathered
from kernels.fused.numba_source import graph_training, layers_training
from kernels.random import Purpose, epoch_keys
from trainer.engines.tabulated import TabulatedEngine
from trainer.models.base import Model
from trainer.models.expression import ExpressionModel
from trainer.models.mlp import MLPModel


class FusedEngine(TabulatedEngine):
    """Trains R runs, each by itself from one end of a slice to the other; see Engine.

    A shared order's minibatches are gathered once for all runs; where each run has its own, the loop
    computes it and gathers them.
    """

    kind = "fused"
    backend = "numba"
    capture = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        losses, norms, path = self.history
        loss, targets = self.model.loss_kind, self.data.targets.shape[1]
        self.descent = Descent(
            _source(self.model, self.optimizer.kind),
            self.optimizer.kind,
            Runs(
                self.model.parameters.detach(),
                self.optimizer.constants.contiguous(),
                self.rates.setting,
                self.steps,
                self.taken,
                self.alive,
                self.clip_norm,
            ),
            Record(losses, norms, path, self.columns, self.last),
            divisor={"mse": targets, "sse": 0, "cross_entropy": 1}[loss],
        )
        self.samples = self.data.inputs.T.contiguous(), self.data.targets.T.contiguous()
        self.prepared: Block | None = None

    @property
    def numbers_a_step(self) -> int:
        """A shared order's minibatches are copied."""
        copied = not (self.order.whole or self.order.own)
        return self.order.batch * (self.data.inputs.shape[1] + self.data.targets.shape[1]) if copied else 1

    def _execute(self, first: int, count: int) -> None:
        start = self.block * self.capacity
        if self.prepared is None or self.prepared.first != start:
            coefficients, _, slots = self.tables
            self.prepared = Block(start, self._batches(), coefficients, slots)
        self.descent.advance(self.prepared, slice(first, first + count))

    def _batches(self) -> Batches:
        """The minibatches of the block of steps."""
        inputs, targets = self.samples
        first, seeds = self.block * self.capacity, self.order.seeds
        if self.order.whole:
            return Batches(inputs[None], targets[None])
        if seeds is None:
            rows = self.order.indices(first, first + self.capacity)
            return Batches(*(part[:, rows].transpose(0, 1).contiguous() for part in self.samples))
        epochs = self.order.epochs(first, first + self.capacity)
        keys = epoch_keys(seeds, Purpose.ORDER, epochs.start, epochs.stop)
        shuffle = Shuffle(keys, epochs.start, self.order.batch)
        if self.order.own:
            return Batches(inputs[None], targets[None], shuffle)
        return gathered(inputs, targets, shuffle, first, self.capacity)


def _source(model: Model, optimizer: str) -> str:
    if isinstance(model, ExpressionModel):
        return graph_training(model.graph, model.loss_kind, optimizer)
    assert isinstance(model, MLPModel)
    return layers_training(model.widths, model.bias, model.loss_kind, optimizer)
