"""The autograd.Function of an expression graph, and the public functions."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.expression import finite_difference, reference
from kernels.expression.graph import Graph

GRADIENTS = ("exact", "finite_difference")


class ExpressionLossFunction(torch.autograd.Function):
    """The loss of a graph, whose gradient is made in the forward pass and only scaled in the backward."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        parameters: Tensor,
        inputs: Tensor,
        targets: Tensor,
        graph: Graph,
        loss: str,
        grad_delta: float | None,
    ) -> Tensor:
        given = graph, parameters, inputs, targets, loss
        if grad_delta is None:
            value, gradient = reference.loss_and_gradient(*given)
        else:
            value, gradient = finite_difference.loss_and_gradient(*given, grad_delta)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return slope[:, None] * gradient, None, None, None, None, None


def expression_loss(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str = "mse",
    grad_delta: float | None = None,
) -> Tensor:
    """L(f(x; p), t) for every run, differentiable by the parameters.

    parameters [R, P] in the order of `graph.parameters`; inputs [B, V] shared by the runs or
    [R, B, V], in the order of `graph.inputs`; targets likewise with T = len(graph.outputs), or class
    indices [B, 1] for cross_entropy -> [R]. With `grad_delta` the gradient is by finite differences
    of that size, else exact. Differentiating twice is refused by torch.
    """
    return ExpressionLossFunction.apply(parameters, inputs, targets, graph, loss, grad_delta)  # pyright: ignore[reportReturnType]


def expression(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> [R, B, T]."""
    return reference.predict(graph, parameters, inputs)
