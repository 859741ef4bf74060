"""The public functions of an expression graph: its loss, its outputs and their Jacobian."""

from types import ModuleType

import torch
from torch import Tensor

from ..common.gradient import with_gradient
from ..equations.losses import Loss, loss_of
from ..language.graph import Graph
from . import finite_difference, reference


def expression_loss(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str | Loss = "mse",
    grad_delta: float | None = None,
    backend: str = "reference",
    constants: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """L(f(x; p), t) of each run [R], differentiable by the parameters once.

    parameters [R, P] in the order of `graph.parameters`; inputs [B, V] shared by the runs or
    [R, B, V], in the order of `graph.inputs`; targets likewise, [B, T] or [R, B, T] in the order of
    `graph.outputs`, or class indices [B, 1] for cross_entropy.

    loss: a name in loss.NAMES, or an equation; `constants` [R, C] are its numbers, and `weights` [B] or
    [R, B] multiply the samples' terms. grad_delta: None for the exact gradient, else the step of finite
    differences, which the reference takes. backend: reference, or triton or numba, which compute value and
    gradient in one pass over the samples.

    >>> import torch
    >>> from packtrain.kernels.expression import expression_loss
    >>> from packtrain.kernels.language import parse
    >>> parameters = torch.tensor([[3.0], [1.0]], requires_grad=True)
    >>> expression_loss(parse("xy = a*x"), parameters, torch.ones(5, 1), torch.ones(5, 1)).tolist()
    [4.0, 0.0]
    """
    arguments = graph, parameters, inputs, targets, loss_of(loss), constants, weights
    with torch.no_grad():
        if grad_delta is None:
            value, gradient = _backend(backend).loss_and_gradient(*arguments)
        else:
            value, gradient = finite_difference.loss_and_gradient(*arguments, delta=grad_delta)
    return with_gradient(parameters, value, gradient)


def expression(graph: Graph, parameters: Tensor, inputs: Tensor, backend: str = "reference") -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> [R, B, T].

    What `backend` triton or numba predicts is not differentiable.

    >>> import torch
    >>> from packtrain.kernels.expression import expression
    >>> from packtrain.kernels.language import parse
    >>> expression(parse("xy = a*x"), torch.tensor([[3.0]]), torch.tensor([[1.0], [2.0]])).tolist()
    [[[3.0], [6.0]]]
    """
    return _backend(backend).predict(graph, parameters, inputs)


def jacobian(graph: Graph, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(y, dy/dp), exact: parameters [R, P], inputs [B, V] or [R, B, V] -> [R, B, T], [R, B, T, P].

    >>> import torch
    >>> from packtrain.kernels.expression import jacobian
    >>> from packtrain.kernels.language import parse
    >>> outputs, slopes = jacobian(parse("xy = a*x^2"), torch.tensor([[3.0]]), torch.tensor([[2.0]]))
    >>> outputs.tolist(), slopes.tolist()
    ([[[12.0]]], [[[[4.0]]]])
    """
    return reference.jacobian(graph, parameters, inputs)


def _backend(name: str) -> ModuleType:
    """The module whose `predict` and `loss_and_gradient` compute a graph."""
    if name == "triton":
        from . import triton_kernel  # noqa: PLC0415 (triton takes a second to import)

        return triton_kernel
    if name == "numba":
        from . import numba_kernel  # noqa: PLC0415 (numba takes a second to import)

        return numba_kernel
    return reference
