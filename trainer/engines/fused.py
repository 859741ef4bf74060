"""The fused engine: many steps of every run inside one compiled loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ...kernels.descent.block import Block, Descent, Record, Runs
from ...kernels.descent.numba.descent import NumbaDescent
from ...kernels.descent.numba.sums import graph_sums, layers_sums
from ...kernels.equations.rule import Rule
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.mlp import MLPModel
from .minibatches import copied, minibatches
from .tabulated import TabulatedEngine


class FusedEngine(TabulatedEngine):
    """Trains R runs, each by itself from one end of a slice to the other; see Engine."""

    kind = "fused"
    capture = False

    def __init__(self, *arguments: Any, backend: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.backend = backend
        losses, norms, path = self.history
        self.descent = DESCENTS[backend](self.model, self.optimizer.rule)(
            Runs(
                self.model.parameters.detach(),
                self.optimizer.constants.contiguous(),
                self.model.constants,
                self.model.seeds,
                self.rates.setting,
                self.steps,
                self.steps_done,
                self.alive,
                self.clip_norm,
            ),
            Record(losses, norms, path, self.columns, self.last),
            self.model.loss_kind.terms(self.data.targets.shape[-1]),
        )
        self.state = dict(zip(self.optimizer.rule.states, self.descent.states.unbind(1), strict=True))
        self.minibatches = minibatches(self.data, self.order, self.capacity, self.ring)
        self.prepared: Block | None = None

    @property
    def numbers_a_step(self) -> int:
        weights = self.data.weights is not None
        a_sample = self.data.inputs.shape[-1] + weights + self.data.targets.shape[-1]
        own = len(self.data.inputs) if self.data.of_runs else 1
        return own * self.order.batch * a_sample if copied(self.order) else 1

    def _execute(self, first: int, count: int) -> None:
        start = self.block * self.capacity
        if self.prepared is None or self.prepared.first != start:
            coefficients, _, slots = self.tables
            self.prepared = Block(start, self.minibatches(start), coefficients, slots)
        self.descent.advance(self.prepared, slice(first, first + count))


Make = Callable[[Runs, Record, int], Descent]


def _by_numba(model: Model, rule: Rule) -> Make:
    kind, dtype = model.loss_kind, model.parameters.dtype
    if isinstance(model, ExpressionModel):
        return partial(NumbaDescent, graph_sums(model.graph, kind, dtype), rule)
    assert isinstance(model, MLPModel)
    drops = model.dropout is not None
    sums = layers_sums(model.widths, model.bias, kind, dtype, model.activation, drops)
    return partial(NumbaDescent, sums, rule)


def _by_triton(model: Model, rule: Rule) -> Make:
    # triton takes a second to import
    from ...kernels.descent.triton.descent import TritonDescent  # noqa: PLC0415 (see above)
    from ...kernels.descent.triton.layers_source import layers_training  # noqa: PLC0415 (see above)
    from ...kernels.descent.triton.source import graph_training  # noqa: PLC0415 (see above)

    size = model.parameters.itemsize
    if isinstance(model, ExpressionModel):
        training = graph_training(model.graph, model.loss_kind, size)
    else:
        assert isinstance(model, MLPModel)
        layers = model.widths, model.bias, model.loss_kind, model.product, size, model.activation
        training = layers_training(*layers, model.dropout is not None)
    return partial(TritonDescent, training, rule)


DESCENTS = {"numba": _by_numba, "triton": _by_triton}
