"""The expression model: a graph of equations, P learnable numbers a run."""

import torch
from torch import Tensor

from ...kernels.equations.losses import Loss
from ...kernels.expression import expression, expression_loss, jacobian
from ...kernels.language import Graph
from ...kernels.sums.blocks import Cut, Shares
from .base import Model


class ExpressionModel(Model):
    """R sets of the graph's parameters [R, P].

    With a `grad_delta`, gradients are finite differences of that step, computed by the reference backend.
    """

    def __init__(
        self,
        graph: Graph,
        parameters: Tensor,
        loss: str | Loss,
        grad_delta: float | None,
        backend: str = "reference",
    ) -> None:
        backend = backend if grad_delta is None else "reference"
        super().__init__(parameters, {p: () for p in graph.parameters}, loss, backend)
        self.graph = graph
        self.grad_delta = grad_delta

    def loss(
        self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None, keys: Tensor | None = None
    ) -> Tensor:
        """L for every run, [R]; see Model.loss."""
        problem = self.graph, self.parameters, inputs, targets, self.loss_kind
        return expression_loss(*problem, self.grad_delta, self.backend, self.loss_constants, weights)

    def by_blocks(
        self,
        cut: Cut,
        shares: Shares,
        inputs: Tensor,
        targets: Tensor,
        weights: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """(L, dL/dp) of each block; by Numba in float64, in one call. See Model.by_blocks."""
        if self.backend != "numba":
            return super().by_blocks(cut, shares, inputs, targets, weights, keys)
        # numba takes a second to import
        from ...kernels.expression.numba_kernel import means_of_blocks  # noqa: PLC0415 (see above)

        own = shares.own(cut.count)
        if not own:
            nothing = self.parameters.new_empty(
                0, self.runs, 1 + self.parameters.shape[1], dtype=torch.float64
            )
            return shares.everywhere(nothing, cut.count)
        given = self.graph, self.parameters, inputs, targets, self.loss_kind, self.loss_constants, weights
        return shares.everywhere(means_of_blocks(*given, size=cut.size), cut.count)

    def predict(self, inputs: Tensor) -> Tensor:
        """Outputs [R, B, T]; see Model.predict."""
        return expression(self.graph, self.parameters, inputs, self.backend)

    def jacobian(self, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(y, dy/dp), [R, B, T] and [R, B, T, P]; see Model.jacobian."""
        return jacobian(self.graph, parameters, inputs)

    @property
    def width(self) -> int:
        """The operations of the graph, each of which makes one number."""
        return len(self.graph.program)

    @property
    def scalars(self) -> dict[str, int]:
        """Every parameter, with its column."""
        return {name: column for column, name in enumerate(self.layout)}
