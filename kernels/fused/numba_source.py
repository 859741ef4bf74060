"""A graph, a loss and an optimizer -> the Numba source text of their whole training."""

from collections.abc import Sequence
from pathlib import Path

from kernels import source_cache
from kernels.expression.expr import walk
from kernels.expression.graph import Graph
from kernels.expression.losses import loss_lines
from kernels.expression.numba_source import HEADER, NUMBA
from kernels.expression.statements import BOTH, INPUTS, leaves, statements

BLOCK = 1024  # samples whose sums are kept in the parameters' own precision

SUMS = """
@njit(error_model="numpy", fastmath={{"contract", "reassoc", "arcp", "nsz"}})
def sums(p, x, t, start, stop, found):
    f = p.dtype.type
    zero, one = f(0.0), f(1.0)
{outside}
{zeros}
    for n in range(start, stop):
{loop}
{results}
    return total
"""

ADVANCE = """
from numba import prange

from kernels.fused.numba_update import {optimizer} as update
from kernels.fused.numba_update import all_finite, norm_of


@njit(error_model="numpy")
def loss_and_gradient(p, x, t, divisor, found, gradient, totals):
    value = 0.0
    totals[:] = 0.0
    for start in range(0, x.shape[1], {block}):
        value += sums(p, x, t, start, min(start + {block}, x.shape[1]), found)
        for i in range(p.size):
            totals[i] += found[i]
    for i in range(p.size):
        gradient[i] = totals[i] / divisor
    return p.dtype.type(value / divisor)


@njit(error_model="numpy")
def gather(data, index, batch):
    for v in range(data.shape[0]):
        for n in range(index.size):
            batch[v, n] = data[v, index[n]]


@njit(parallel=True, cache=True, error_model="numpy")
def advance(
    parameters, states, constants, table, wanted, alive, taken, clip, x, t, index, divisor, first, count,
    losses, norms, path,
):
    for r in prange(parameters.shape[0]):
        p, state = parameters[r], states[r]
        found, gradient, new = np.empty_like(p), np.empty_like(p), np.empty_like(p)
        totals, moved = np.empty(p.size), np.empty_like(state)
        own = index.shape[2]
        x_own, t_own = np.empty((x.shape[1], own), x.dtype), np.empty((t.shape[1], own), t.dtype)
        for row in range(first, first + count):
            path[row, r] = p
            losses[row, r] = nan
            if not (alive[r] and wanted[row, r]):
                continue
            if own > 0:
                gather(x[0], index[row, r], x_own)
                gather(t[0], index[row, r], t_own)
                loss = loss_and_gradient(p, x_own, t_own, divisor, found, gradient, totals)
            else:
                step = row % x.shape[0]
                loss = loss_and_gradient(p, x[step], t[step], divisor, found, gradient, totals)
            losses[row, r] = loss
            norm = p.dtype.type(norm_of(gradient))
            norms[row, r] = norm
            if clip.size > 0 and norm > clip[r]:
                for i in range(p.size):
                    gradient[i] *= clip[r] / (norm + p.dtype.type(1e-6))
            update(p, gradient, state, constants[r], table[row, :, r], new, moved)
            if all_finite(loss, new, moved):
                p[:] = new
                state[:] = moved
                taken[r] += 1
            else:
                alive[r] = False
"""


def training_source(graph: Graph, loss: str, optimizer: str) -> str:
    """The module that defines advance(...): steps first..first+count-1 of every run, changed in place.

    parameters [R, P], states [R, K, P], constants [R, C], table [S, C, R], wanted [S, R], alive, taken
    [R], clip [R] or [0]; a step's samples x [S or 1, V, B], t [S or 1, T, B], or all samples [1, V, N]
    and which of them each run takes, index [S, R, B] (else [S, R, 0]); losses, norms [S, R], path
    [S, R, P]. The sums of a step are divided by `divisor`.
    """
    version = source_cache.version(Path(__file__).with_name("numba_update.py"))
    advance = ADVANCE.format(optimizer=optimizer, block=BLOCK)
    return f"# over {version}\n{HEADER}import numpy as np\n{_sums(graph, loss)}{advance}"


def _sums(graph: Graph, loss: str) -> str:
    """The sums of the loss and its gradient over some samples, in the parameters' precision."""
    texts, levels = leaves(graph)
    constant = "f({})".format
    forward = statements(graph.program, texts, levels, NUMBA, constant)
    outputs = [texts[graph.lowered[output]] for output in graph.outputs]
    backward = statements(walk(*graph.gradient), texts, levels, NUMBA, constant)
    columns = 1 if loss == "cross_entropy" else len(outputs)
    outside = [
        *(f"p{i} = p[{i}]" for i in range(len(graph.parameters))),
        *(line for part in (forward, backward) for level in part[:INPUTS] for line in level),
    ]
    loop = [
        *(f"x{i} = x[{i}, n]" for i in range(len(graph.inputs))),
        *(f"t{i} = t[{i}, n]" for i in range(columns)),
        *forward[INPUTS],
        *forward[BOTH],
        *loss_lines(loss, outputs, NUMBA, lambda k, a, b: f"({a} if t0 == {k} else {b})"),
        "total += l",
        *backward[INPUTS],
        *backward[BOTH],
        *(f"g{i} += {texts[root]}" for i, root in enumerate(graph.gradient)),
    ]
    return SUMS.format(
        outside=_indented(outside, 1),
        zeros=_indented(["total = zero", *(f"g{i} = zero" for i in range(len(graph.gradient)))], 1),
        loop=_indented(loop, 2),
        results=_indented([f"found[{i}] = g{i}" for i in range(len(graph.gradient))], 1),
    )


def _indented(lines: Sequence[str], levels: int) -> str:
    return "\n".join("    " * levels + line for line in lines)
