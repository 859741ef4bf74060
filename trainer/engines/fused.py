"""The fused engine: many steps of every run inside one compiled loop."""

from typing import Any

from torch import Tensor

from kernels.fused.compiled import Descent
from kernels.fused.numba_source import graph_training, layers_training
from trainer.engines.tabulated import TabulatedEngine
from trainer.models.base import Model
from trainer.models.expression import ExpressionModel
from trainer.models.mlp import MLPModel


class FusedEngine(TabulatedEngine):
    """Trains R runs, each by itself from one end of a slice to the other; see Engine.

    A shared order's minibatches are gathered once for all runs; where each run has its own, the loop
    gathers them.
    """

    kind = "fused"
    backend = "numba"
    capture = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        loss, targets = self.model.loss_kind, self.data.targets.shape[1]
        self.descent = Descent(
            _source(self.model, self.optimizer.kind),
            self.optimizer.kind,
            self.model.parameters.detach(),
            self.optimizer.constants,
            divisor={"mse": targets, "sse": 0, "cross_entropy": 1}[loss],
        )
        self.samples = self.data.inputs.T.contiguous(), self.data.targets.T.contiguous()
        self.gathered = -1

    def _execute(self, first: int, count: int) -> None:
        if self.gathered != self.block:
            self.batches, self.gathered = self._batches(), self.block
        _, coefficients, _, wanted, slots = self.tables
        self.descent.advance(
            *self.batches,
            coefficients[..., 0].contiguous(),
            wanted.expand(-1, self.model.runs).contiguous(),
            self.clip_norm,
            self.alive,
            self.taken,
            slice(first, first + count),
            slots,
            self.columns,
            self.history,
            self.last,
        )

    def _batches(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """The block's minibatches [S, V, B] and [S, T, B]; or all samples [1, V, N] and [1, T, N], with
        which of them each run takes, [S, R, B], where each has its own order.
        """
        indices = self.tables[0]
        inputs, targets = self.samples
        if self.order.whole:
            return inputs[None], targets[None], None
        if indices.dim() == 3:
            return inputs[None], targets[None], indices.contiguous()
        inputs, targets = (part[:, indices].transpose(0, 1).contiguous() for part in self.samples)
        return inputs, targets, None


def _source(model: Model, optimizer: str) -> str:
    if isinstance(model, ExpressionModel):
        return graph_training(model.graph, model.loss_kind, optimizer)
    assert isinstance(model, MLPModel)
    return layers_training(model.widths, model.bias, model.loss_kind, optimizer)
