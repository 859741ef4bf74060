"""Expression graphs on the GPU, through kernels that are generated for each graph.

One program goes over some blocks of samples for some of the runs. Each block's sums are stored by
themselves and added in a second pass, so which program computes a block changes no bit.
"""

from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from kernels import launch, source_cache
from kernels.expression.graph import Graph
from kernels.expression.triton_source import loss_source, predict_source, squares_source
from kernels.sums.kernel import sum_parts

WARP = 32
REGISTERS = 128  # of a thread, for values: the compiler needs others
MOST_A_THREAD = 16  # samples
PROGRAMS_A_PROCESSOR = 64  # about twice what runs at a time
MOST_RUNS = 64  # for which one program uses the samples that it loaded
MOST_BLOCKS = 64  # of one program


def predict(graph: Graph, parameters: Tensor, inputs: Tensor) -> Tensor:
    """y = f(x; p): parameters [R, P], inputs [B, V] or [R, B, V] -> outputs [R, B, T]."""
    out = parameters.new_empty(len(parameters), inputs.shape[-2], len(graph.outputs))
    module = _predict(graph, inputs.dim() == 2)
    _launch(module, module.predict, parameters, inputs, None, None, out, _block(module, parameters))
    return out


def loss_and_gradient(
    graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor, loss: str
) -> tuple[Tensor, Tensor]:
    """(L, dL/dp): parameters [R, P], inputs [B, V] or [R, B, V], targets likewise -> [R], [R, P]."""
    module = _loss(graph, loss, inputs.dim() == targets.dim() == 2)
    runs, size = parameters.shape
    samples, block = inputs.shape[-2], _block(module, parameters)
    part = parameters.new_empty(runs, launch.parts(samples, block), 1 + size)
    _launch(module, module.loss_and_gradient, parameters, inputs, targets, None, part, block)
    count = {"mse": samples * len(graph.outputs), "sse": 1, "cross_entropy": samples}[loss]
    found = sum_parts(part, parameters.dtype, count)
    return found[:, 0], found[:, 1:]


def squares(
    graph: Graph, parameters: Tensor, inputs: Tensor, targets: Tensor, weights: Tensor | None
) -> Tensor:
    """[J | e]^T [J | e], e = sqrt(w) (y - t): parameters [R, P], inputs [B, V] or [R, B, V], targets and
    weights [B] or [R, B] likewise -> [R, P + 1, P + 1] in float64.
    """
    shared = inputs.dim() == targets.dim() == 2 and (weights is None or weights.dim() == 1)
    module = _squares(graph, shared, weights is not None)
    runs, size = len(parameters), parameters.shape[1] + 1
    block = _block(module, parameters)
    part = parameters.new_empty(runs, launch.parts(inputs.shape[-2], block), size * (size + 1) // 2)
    _launch(module, module.squares, parameters, inputs, targets, weights, part, block)
    row, column = torch.triu_indices(size, size, device=parameters.device)
    found = parameters.new_empty(runs, size, size, dtype=torch.float64)
    found[:, row, column] = found[:, column, row] = sum_parts(part, torch.float64)
    return found


@cache
def _predict(graph: Graph, shared: bool) -> ModuleType:
    return source_cache.load(predict_source(graph, shared))


@cache
def _loss(graph: Graph, loss: str, shared: bool) -> ModuleType:
    return source_cache.load(loss_source(graph, loss, shared))


@cache
def _squares(graph: Graph, shared: bool, weighted: bool) -> ModuleType:
    return source_cache.load(squares_source(graph, shared, weighted))


def _block(module: ModuleType, parameters: Tensor) -> int:
    """Samples of one block, a warp's: as many as its registers hold, a matter of graph and dtype alone."""
    a_sample = module.LIVE * (parameters.itemsize // 4)
    a_thread = max(1, min(MOST_A_THREAD, REGISTERS // a_sample))
    return WARP * (1 << (a_thread.bit_length() - 1))


def _launch(
    module: ModuleType,
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
        runs, samples, blocks, runs_each, blocks_each, BLOCK=block, num_warps=1,
    )  # fmt: skip
