"""Expression graphs on the GPU, through kernels that are generated for each graph.

One program goes over some blocks of samples for some of the runs. Each block's sums are stored by
themselves and added in a second pass, so which program computes a block changes no bit.
"""

from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..common import launch, source_cache
from ..language.graph import Graph
from ..loss import terms
from ..sums.kernel import sum_parts
from .triton_source import loss_source, predict_source, squares_source

WARP = 32
REGISTERS = 128  # of a thread, for values: the compiler needs others
MOST_A_THREAD = 16  # samples
PROGRAMS_A_PROCESSOR = 64  # about twice what runs at a time
MOST_RUNS = 64  # for which one program uses the samples that it loaded
MOST_BLOCKS = 64  # of one program
MOST_NUMBERS = 1 << 28  # among the sums of all blocks that are in memory at a time


def predict(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> outputs [R, B, T]; not differentiable."""
    out = parameters.new_empty(len(parameters), inputs.shape[-2], len(graph.outputs))
    module = _predict(graph, inputs.dim() == 2)
    block = _block(module, parameters.itemsize)
    _launch(module.predict, parameters, inputs, None, None, out, block)
    return out


def loss_and_gradient(
    graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor, loss: str
) -> tuple[Tensor, Tensor]:
    """(L, dL/dp): parameters [R, P], inputs [B, V] or [R, B, V], targets likewise -> [R], [R, P]."""
    module = _loss(graph, loss, inputs.dim() == targets.dim() == 2)
    samples = inputs.shape[-2]
    count = samples * terms(loss, len(graph.outputs)) or 1
    columns, dtype = 1 + parameters.shape[1], parameters.dtype
    found = _sums(module, module.loss_and_gradient, parameters, inputs, targets, None, columns, dtype, count)
    return found[:, 0], found[:, 1:]


def squares(
    graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor, weights: Tensor | None
) -> Tensor:
    """[J | e]^T [J | e], e = sqrt(w) (y - t): parameters [R, P], inputs [B, V] or [R, B, V], targets and
    weights [B] or [R, B] likewise -> [R, P + 1, P + 1] in float64.
    """
    shared = inputs.dim() == targets.dim() == 2 and (weights is None or weights.dim() == 1)
    module = _squares(graph, shared, weights is not None)
    size, dtype = parameters.shape[1] + 1, torch.float64
    columns = size * (size + 1) // 2
    sums = _sums(module, module.squares, parameters, inputs, targets, weights, columns, dtype, 1)
    row, column = torch.triu_indices(size, size, device=parameters.device)
    found = sums.new_empty(len(parameters), size, size)
    found[:, row, column] = found[:, column, row] = sums
    return found


def _sums(
    module: ModuleType,
    kernel: Any,
    parameters: Tensor,
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    columns: int,
    dtype: torch.dtype,
    count: int,
) -> Tensor:
    """The sums of a kernel over all samples, divided by `count`: [R, columns] in `dtype`.

    So many runs at a time as the sums of their blocks fit in memory.
    """
    block = _block(module, dtype.itemsize)
    blocks = launch.parts(inputs.shape[-2], block)
    together = max(1, MOST_NUMBERS // max(1, blocks * columns))
    found = []
    for runs in _slices(len(parameters), together):
        x, t, w = (
            each if each is None or each.dim() == dims else each[runs]
            for each, dims in ((inputs, 2), (targets, 2), (weights, 1))
        )
        part = parameters.new_empty(len(parameters[runs]), blocks, columns, dtype=dtype)
        assert x is not None
        _launch(kernel, parameters[runs], x, t, w, part, block)
        found.append(sum_parts(part, dtype, count))
    return found[0] if len(found) == 1 else torch.cat(found)


def _slices(size: int, each: int) -> list[slice]:
    return [slice(start, start + each) for start in range(0, max(1, size), each)]


@cache
def _predict(graph: Graph, shared: bool) -> ModuleType:
    return source_cache.load(predict_source(graph, shared))


@cache
def _loss(graph: Graph, loss: str, shared: bool) -> ModuleType:
    return source_cache.load(loss_source(graph, loss, shared))


@cache
def _squares(graph: Graph, shared: bool, weighted: bool) -> ModuleType:
    return source_cache.load(squares_source(graph, shared, weighted))


def _block(module: ModuleType, itemsize: int) -> int:
    """Samples of one block, a warp's: as many as its registers hold, a matter of graph and dtype alone."""
    a_sample = module.LIVE * (itemsize // 4)
    a_thread = max(1, min(MOST_A_THREAD, REGISTERS // a_sample))
    return WARP * (1 << (a_thread.bit_length() - 1))


def _launch(
    kernel: Any,
    parameters: Tensor,
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
    targets = inputs if targets is None else launch.aligned(targets)
    weights = inputs if weights is None else launch.aligned(weights)
    x_run, t_run = (each[0].numel() if each.dim() == 3 else 0 for each in (inputs, targets))
    w_run = samples if weights.dim() == 2 else 0
    launch.launch(
        kernel, groups * launch.parts(blocks, blocks_each),
        parameters, inputs, targets, weights, out, x_run, t_run, w_run,
        runs, samples, blocks, runs_each, blocks_each,
        BLOCK=block, num_warps=1, maxnreg=launch.MOST_REGISTERS,
    )  # fmt: skip
