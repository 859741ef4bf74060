"""The public functions of an expression graph."""

from types import ModuleType

import torch
from torch import Tensor

from ..common.gradient import with_gradient
from ..language.graph import Graph
from . import finite_difference, reference


def expression_loss(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str = "mse",
    grad_delta: float | None = None,
    backend: str = "reference",
) -> Tensor:
    """L(f(x; p), t) for every run, differentiable by the parameters.

    parameters [R, P] in the order of `graph.parameters`; inputs [B, V] shared by the runs or
    [R, B, V], in the order of `graph.inputs`; targets likewise with T = len(graph.outputs), or class
    indices [B, 1] for cross_entropy -> [R]. With `grad_delta` the gradient is by finite differences
    of that size, by the reference, else exact. `backend` is reference, or triton or numba: value and
    gradient in one pass over the samples. Differentiating twice is refused by torch.
    """
    given = graph, parameters, inputs, targets, loss
    with torch.no_grad():
        if grad_delta is None:
            value, gradient = _backend(backend).loss_and_gradient(*given)
        else:
            value, gradient = finite_difference.loss_and_gradient(*given, grad_delta)
    return with_gradient(parameters, value, gradient)


def expression(graph: Graph, parameters: Tensor, inputs: Tensor, backend: str = "reference") -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> [R, B, T].

    What `backend` triton or numba predicts is not differentiable.
    """
    return _backend(backend).predict(graph, parameters, inputs)


def jacobian(graph: Graph, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(y, dy/dp), exact: parameters [R, P], inputs [B, V] or [R, B, V] -> [R, B, T], [R, B, T, P]."""
    return reference.jacobian(graph, parameters, inputs)


def _backend(name: str) -> ModuleType:
    """The module whose `predict` and `loss_and_gradient` compute a graph."""
    if name == "triton":
        from . import triton_kernel  # noqa: PLC0415 (triton takes a second to import)

        return triton_kernel
    if name == "numba":
        from . import numba_kernel  # noqa: PLC0415 (numba too)

        return numba_kernel
    return reference
