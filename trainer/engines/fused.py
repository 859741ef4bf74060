"""The fused engine: many steps of every run inside one compiled loop."""

from typing import Any

from kernels.fused.block import Block, Record, Runs
from kernels.fused.compiled import Descent
from kernels.fused.numba_source import graph_training, layers_training
from trainer.engines.minibatches import Minibatches, copied
from trainer.engines.tabulated import TabulatedEngine
from trainer.models.base import Model
from trainer.models.expression import ExpressionModel
from trainer.models.mlp import MLPModel


class FusedEngine(TabulatedEngine):
    """Trains R runs, each by itself from one end of a slice to the other; see Engine."""

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
        self.minibatches = Minibatches(self.data, self.order, self.capacity)
        self.prepared: Block | None = None

    @property
    def numbers_a_step(self) -> int:
        a_sample = self.data.inputs.shape[1] + self.data.targets.shape[1]
        return self.order.batch * a_sample if copied(self.order) else 1

    def _execute(self, first: int, count: int) -> None:
        start = self.block * self.capacity
        if self.prepared is None or self.prepared.first != start:
            coefficients, _, slots = self.tables
            self.prepared = Block(start, self.minibatches(start), coefficients, slots)
        self.descent.advance(self.prepared, slice(first, first + count))


def _source(model: Model, optimizer: str) -> str:
    if isinstance(model, ExpressionModel):
        return graph_training(model.graph, model.loss_kind, optimizer)
    assert isinstance(model, MLPModel)
    return layers_training(model.widths, model.bias, model.loss_kind, optimizer)
