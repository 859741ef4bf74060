"""Expression graphs on the CPU: loops generated for each graph and compiled by Numba.

The sums of blocks of samples are added in float64, in the order of the blocks, whichever thread made them.
"""

from functools import cache
from types import ModuleType

import numpy as np
from torch import Tensor

from ..common import source_cache
from ..common.threads import share
from ..language.graph import Graph
from ..loss import terms
from .numba_source import BLOCK, loss_source, one_column, predict_source


def predict(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> outputs [R, B, T]; not differentiable.

    >>> import torch
    >>> from packtrain.kernels.expression import numba_kernel
    >>> from packtrain.kernels.language import parse
    >>> numba_kernel.predict(parse("xy = a*x"), torch.tensor([[3.0]]), torch.tensor([[1.0], [2.0]])).tolist()
    [[[3.0], [6.0]]]
    """
    out = parameters.new_empty(len(parameters), inputs.shape[-2], len(graph.outputs))
    arrays = _arrays(parameters, _per_run(inputs), out)
    code = _predict(graph)
    share(len(out) * -(-out.shape[1] // BLOCK), lambda start, stop: code.predict(start, stop, *arrays))
    return out


def loss_and_gradient(
    graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor, loss: str
) -> tuple[Tensor, Tensor]:
    """(L, dL/dp): parameters [R, P], inputs [B, V] or [R, B, V], targets likewise -> [R], [R, P].

    >>> import torch
    >>> from packtrain.kernels.expression import numba_kernel
    >>> from packtrain.kernels.language import parse
    >>> graph, one = parse("xy = a*x"), torch.ones(1, 1)
    >>> [part.tolist() for part in numba_kernel.loss_and_gradient(graph, 3 * one, one, one, "mse")]
    [[4.0], [[4.0]]]
    """
    runs, samples = len(parameters), inputs.shape[-2]
    blocks = -(-samples // BLOCK)
    x, t = _per_run(inputs), _per_run(targets)
    if one_column(graph):
        x, t = x.view(-1, 1, samples), t.view(-1, 1, samples)
    partial = parameters.new_empty(runs, blocks, 1 + parameters.shape[1])
    arrays = _arrays(parameters, x, t, partial)
    code = _loss(graph, loss)
    share(runs * blocks, lambda start, stop: code.loss_and_gradient(start, stop, *arrays))
    count = samples * terms(loss, len(graph.outputs)) or 1
    out = parameters.new_empty(runs, 1 + parameters.shape[1])
    sums = *_arrays(partial), float(count), *_arrays(out)
    share(runs, lambda start, stop: code.total(start, stop, *sums))
    return out[:, 0], out[:, 1:]


def _per_run(data: Tensor) -> Tensor:
    """[B, V] -> [1, B, V], contiguous; [R, B, V] as it is."""
    return (data if data.dim() == 3 else data[None]).contiguous()


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@cache
def _predict(graph: Graph) -> ModuleType:
    return source_cache.load(predict_source(graph))


@cache
def _loss(graph: Graph, loss: str) -> ModuleType:
    return source_cache.load(loss_source(graph, loss))
