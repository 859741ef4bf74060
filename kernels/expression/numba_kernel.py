"""Expression graphs on the CPU: a graph's machine code, in loops that Numba compiled once for all graphs.

The sums of blocks of samples are added in float64, in the order of the blocks, whichever thread made them.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..common.llvm import KEPT, KINDS, MachineCode, compiled
from ..common.threads import share
from ..equations.losses import Loss, loss_of
from ..language.graph import Graph
from ..loss.reference import loss_constants, with_weights
from . import numba_loops as loops
from .llvm_source import BLOCK, predict_source, sums_source


def predict(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> outputs [R, B, T]; not differentiable.

    >>> import torch
    >>> from packtrain.kernels.expression import numba_kernel
    >>> from packtrain.kernels.language import parse
    >>> numba_kernel.predict(parse("xy = a*x"), torch.tensor([[3.0]]), torch.tensor([[1.0], [2.0]])).tolist()
    [[[3.0], [6.0]]]
    """
    out = parameters.new_empty(len(parameters), inputs.shape[-2], len(graph.outputs))
    code = _predict(graph, KINDS[parameters.dtype])
    address = code.address["predict"]
    arrays = _arrays(parameters, _per_run(inputs), out)
    share(
        len(out) * -(-out.shape[1] // BLOCK), lambda start, stop: loops.predict(start, stop, address, *arrays)
    )
    return out


def loss_and_gradient(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str | Loss,
    constants: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(L, dL/dp): parameters [R, P], inputs [B, V] or [R, B, V], targets likewise -> [R], [R, P].

    `constants` [R, C] are the loss's, `weights` [B] or [R, B] the samples'.

    >>> import torch
    >>> from packtrain.kernels.expression import numba_kernel
    >>> from packtrain.kernels.language import parse
    >>> graph, one = parse("xy = a*x"), torch.ones(1, 1)
    >>> [part.tolist() for part in numba_kernel.loss_and_gradient(graph, 3 * one, one, one, "mse")]
    [[4.0], [[4.0]]]
    """
    size = max(1, -(-inputs.shape[-2] // BLOCK)) * BLOCK
    whole = means_of_blocks(graph, parameters, inputs, targets, loss, constants, weights, size=size)
    out = whole[0].to(parameters.dtype)
    return out[:, 0], out[:, 1:]


def means_of_blocks(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    loss: str | Loss,
    constants: Tensor | None = None,
    weights: Tensor | None = None,
    *,
    size: int,
) -> Tensor:
    """(L, dL/dp) of every `size` samples, a multiple of BLOCK, by itself: [K, R, 1 + P] in float64.

    See loss_and_gradient.

    >>> import torch
    >>> from packtrain.kernels.expression.numba_kernel import means_of_blocks
    >>> from packtrain.kernels.language import parse
    >>> x = torch.ones(1025, 1)
    >>> means_of_blocks(parse("xy = a*x"), 3 * x[:1], x, x, "mse", size=1024).tolist()
    [[[4.0, 4.0]], [[4.0, 4.0]]]
    """
    assert size % BLOCK == 0
    loss = loss_of(loss, weighted=weights is not None)
    if weights is not None:
        inputs = with_weights(inputs, weights)
    runs, samples = len(parameters), inputs.shape[-2]
    blocks = -(-samples // BLOCK)
    x, t, loop = _per_run(inputs), _per_run(targets), loops.loss_and_gradient
    if x.shape[2] == t.shape[2] == 1:
        x, t, loop = x.view(-1, samples), t.view(-1, samples), loops.loss_and_gradient_of_a_column
    partial = np.empty((runs, blocks, 1 + parameters.shape[1]))
    code = sums(graph, loss, parameters.dtype)
    address = code.address["sums"]
    c = loss_constants(loss, parameters, constants)
    arrays = *_arrays(parameters, c, x, t), partial
    share(runs * blocks, lambda start, stop: loop(start, stop, address, *arrays))
    out = np.empty((max(1, -(-samples // size)), runs, partial.shape[2]))
    terms = loss.terms(len(graph.outputs))
    share(len(out) * runs, lambda start, stop: loops.means(start, stop, partial, size, samples, terms, out))
    return torch.from_numpy(out)


@lru_cache(KEPT)
def sums(graph: Graph, loss: Loss, dtype: torch.dtype) -> MachineCode:
    """The machine code of llvm_source's `sums`, for parameters of `dtype`.

    >>> import torch
    >>> from packtrain.kernels.expression.numba_kernel import sums
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> list(sums(parse("xy = a*x"), loss_of("mse"), torch.float64).address)
    ['sums']
    """
    return compiled(sums_source(graph, loss, KINDS[dtype]), "sums")


@lru_cache(KEPT)
def _predict(graph: Graph, kind: str) -> MachineCode:
    return compiled(predict_source(graph, kind), "predict")


def _per_run(data: Tensor) -> Tensor:
    """[B, V] -> [1, B, V], contiguous; [R, B, V] as it is."""
    return (data if data.dim() == 3 else data[None]).contiguous()


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]
