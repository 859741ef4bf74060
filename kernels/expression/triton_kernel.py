"""Expression graphs on the GPU: kernels generated for each graph.

A program computes some blocks of samples for some of the runs. The sums of each block are stored apart and
added in a second pass, so it changes no bit which program computes a block.
"""

from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..common import launch, source_cache
from ..equations.losses import Loss, loss_of
from ..equations.robust import Robust
from ..language.graph import Graph
from ..loss.reference import loss_constants
from ..sums.kernel import sum_parts
from .triton_source import loss_source, predict_source, squares_source

WARP = 32
REGISTERS = 128  # of a thread, for values: the compiler needs others
MOST_A_THREAD = 16  # samples of a thread
PROGRAMS_A_PROCESSOR = 64  # about twice as many as run at a time
MOST_RUNS = 64  # of a program: it uses the samples that it loaded for each of them
MOST_BLOCKS = 64  # of a program
MOST_NUMBERS = 1 << 28  # of the blocks' sums that are in memory at a time


def predict(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> outputs [R, B, T]; not differentiable."""
    out = parameters.new_empty(len(parameters), inputs.shape[-2], len(graph.outputs))
    module = _predict(graph, inputs.dim() == 2)
    block = _block(module, parameters.itemsize)
    _launch(module.predict, parameters, parameters, inputs, None, None, out, block)
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
    """
    loss = loss_of(loss, weighted=weights is not None)
    module = _loss(graph, loss, _are_shared(inputs, targets, weights))
    count = inputs.shape[-2] * loss.terms(len(graph.outputs)) or 1
    columns, dtype = 1 + parameters.shape[1], parameters.dtype
    c = loss_constants(loss, parameters, constants)
    sums = _sums(
        module, module.loss_and_gradient, parameters, c, inputs, targets, weights, columns, dtype, count
    )
    return sums[:, 0], sums[:, 1:]


def squares(
    graph: Graph,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    loss: Robust | None = None,
    constants: Tensor | None = None,
) -> Tensor:
    """[J | e]^T [J | e], where J = sqrt(w) dy/dp and e = sqrt(w) (y - t).

    parameters [R, P], inputs [B, V] or [R, B, V], targets likewise, weights [B] or [R, B] or None
    -> [R, P + 1, P + 1] in float64. Of a `loss` with `constants` [R, C] see triton_source.squares_source.
    """
    module = _squares(graph, _are_shared(inputs, targets, weights), weights is not None, loss)
    size, dtype = parameters.shape[1] + 1, torch.float64
    columns = size * (size + 1) // 2
    c = parameters if constants is None else constants.to(parameters.dtype)
    sums = _sums(module, module.squares, parameters, c, inputs, targets, weights, columns, dtype, 1)
    row, column = torch.triu_indices(size, size, device=parameters.device)
    products = sums.new_empty(len(parameters), size, size)
    products[:, row, column] = products[:, column, row] = sums
    return products


def _sums(
    module: ModuleType,
    kernel: Any,
    parameters: Tensor,
    constants: Tensor,
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    columns: int,
    dtype: torch.dtype,
    count: int,
) -> Tensor:
    """The sums of a kernel over all samples, divided by `count`: [R, columns] in `dtype`.

    It takes as many runs at a time as have sums of blocks that fit in memory.
    """
    block = _block(module, dtype.itemsize)
    blocks = launch.parts(inputs.shape[-2], block)
    together = max(1, MOST_NUMBERS // max(1, blocks * columns))
    sums = []
    for start in range(0, max(1, len(parameters)), together):
        runs = slice(start, start + together)
        x = inputs if inputs.dim() == 2 else inputs[runs]
        t = targets if targets.dim() == 2 else targets[runs]
        w = weights if weights is None or weights.dim() == 1 else weights[runs]
        partial = parameters.new_empty(len(parameters[runs]), blocks, columns, dtype=dtype)
        _launch(kernel, parameters[runs], constants[runs], x, t, w, partial, block)
        sums.append(sum_parts(partial, dtype, count))
    return sums[0] if len(sums) == 1 else torch.cat(sums)


def _are_shared(inputs: Tensor, targets: Tensor, weights: Tensor | None) -> bool:
    """Whether all runs have the same samples."""
    return inputs.dim() == targets.dim() == 2 and (weights is None or weights.dim() == 1)


@cache
def _predict(graph: Graph, shared: bool) -> ModuleType:
    return source_cache.load(predict_source(graph, shared))


@cache
def _loss(graph: Graph, loss: Loss, shared: bool) -> ModuleType:
    return source_cache.load(loss_source(graph, loss, shared))


@cache
def _squares(graph: Graph, shared: bool, weighted: bool, loss: Robust | None) -> ModuleType:
    return source_cache.load(squares_source(graph, shared, weighted, loss))


def _block(module: ModuleType, itemsize: int) -> int:
    """Samples of one block, a warp's: as many as its registers hold. Graph and dtype alone decide."""
    a_sample = module.LIVE * (itemsize // 4)
    a_thread = max(1, min(MOST_A_THREAD, REGISTERS // a_sample))
    return WARP * (1 << (a_thread.bit_length() - 1))


def _launch(
    kernel: Any,
    parameters: Tensor,
    constants: Tensor,
    inputs: Tensor,
    targets: Tensor | None,
    weights: Tensor | None,
    out: Tensor,
    block: int,
) -> None:
    launch.check_device(parameters, "an expression's Triton kernel", "compute.backend=reference")
    if not out.numel():
        return
    runs, samples = len(parameters), inputs.shape[-2]
    blocks = launch.parts(samples, block)
    wanted = PROGRAMS_A_PROCESSOR * launch.processors(parameters)
    runs_each = max(1, min(MOST_RUNS, runs, blocks * runs // wanted))
    groups = launch.parts(runs, runs_each)
    blocks_each = max(1, min(MOST_BLOCKS, blocks * groups // wanted))
    parameters, inputs = launch.aligned(parameters.detach()), launch.aligned(inputs)
    constants = launch.aligned(constants.detach()) if constants.numel() else parameters
    targets = inputs if targets is None else launch.aligned(targets)
    weights = inputs if weights is None else launch.aligned(weights)
    x_run, t_run = (data[0].numel() if data.dim() == 3 else 0 for data in (inputs, targets))
    w_run = samples if weights.dim() == 2 else 0
    launch.launch(
        kernel, groups * launch.parts(blocks, blocks_each),
        parameters, constants, inputs, targets, weights, out, x_run, t_run, w_run,
        runs, samples, blocks, runs_each, blocks_each,
        BLOCK=block, num_warps=1, maxnreg=launch.MOST_REGISTERS,
    )  # fmt: skip
