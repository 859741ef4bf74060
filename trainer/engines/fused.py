"""The fused engine: many steps of every run inside one compiled loop."""

from typing import Any

from torch import Tensor

from kernels.fused.compiled import Descent
from trainer.engines.tabulated import TabulatedEngine
from trainer.models.expression import ExpressionModel


class FusedEngine(TabulatedEngine):
    """Trains R runs of equations, each by itself from one end of a slice to the other; see Engine.

    A shared order's minibatches are gathered once for all runs; where each run has its own, the loop
    gathers them.
    """

    kind = "fused"
    backend = "numba"
    capture = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        model = self.model
        assert isinstance(model, ExpressionModel)
        self.descent = Descent(
            model.graph,
            model.loss_kind,
            self.optimizer.kind,
            model.parameters.detach(),
            self.optimizer.constants,
        )
        self.samples = self.data.inputs.T.contiguous(), self.data.targets.T.contiguous()
        self.path = model.parameters.detach().new_zeros(self.capacity, *model.parameters.shape)
        self.gathered = -1

    def _execute(self, first: int, count: int) -> None:
        if self.gathered != self.block:
            self.batches, self.gathered = self._batches(), self.block
        _, coefficients, _, wanted = self.tables
        loss, norm, scalars = self.history
        self.descent.advance(
            *self.batches,
            coefficients[..., 0].contiguous(),
            wanted.expand(-1, self.model.runs).contiguous(),
            self.clip_norm,
            self.alive,
            self.taken,
            slice(first, first + count),
            (loss, norm, self.path),
        )
        rows = slice(first, first + count)
        scalars[rows] = self.path[rows][..., self.columns]

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
