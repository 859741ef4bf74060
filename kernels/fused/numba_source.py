"""A model, a loss and an optimizer -> the Numba source text of their whole training."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from kernels import source_cache
from kernels.expression.expr import walk
from kernels.expression.graph import Graph
from kernels.expression.losses import loss_lines
from kernels.expression.numba_source import HEADER, NUMBA
from kernels.expression.statements import BOTH, INPUTS, indented, leaves, statements

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
from kernels.fused.numba_update import all_finite, norm_of, take


@njit(error_model="numpy")
def loss_and_gradient(p, x, t, divisor, found, gradient, totals):
    value = 0.0
    for i in range(p.size):
        totals[i] = 0.0
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
    slots, columns, losses, norms, path, last,
):
    for r in prange(parameters.shape[0]):
        p, state = parameters[r], states[r]
        found, gradient, new = np.empty_like(p), np.empty_like(p), np.empty_like(p)
        totals, moved = np.empty(p.size), np.empty_like(state)
        own = index.shape[2]
        x_own, t_own = np.empty((x.shape[1], own), x.dtype), np.empty((t.shape[1], own), t.dtype)
        for row in range(first, first + count):
            slot = slots[row]
            for i in range(columns.size):
                path[slot, r, i] = p[columns[i]]
            losses[slot, r] = last[r] = nan
            if not (alive[r] and wanted[row, r]):
                continue
            if own > 0:
                gather(x[0], index[row, r], x_own)
                gather(t[0], index[row, r], t_own)
                loss = loss_and_gradient(p, x_own, t_own, divisor, found, gradient, totals)
            else:
                step = row % x.shape[0]
                loss = loss_and_gradient(p, x[step], t[step], divisor, found, gradient, totals)
            losses[slot, r] = last[r] = loss
            norm = p.dtype.type(norm_of(gradient))
            norms[slot, r] = norm
            if clip.size > 0 and norm > clip[r]:
                for i in range(p.size):
                    gradient[i] *= clip[r] / (norm + p.dtype.type(1e-6))
            update(p, gradient, state, constants[r], table[row, :, r], new, moved)
            if all_finite(loss, new, moved):
                take(p, new, state, moved)
                taken[r] += 1
            else:
                alive[r] = False
"""


LAYERS = """
from kernels.fused.numba_layers import backward, cross_entropy, forward, squared_errors, to_inputs


@njit(error_model="numpy")
def sums(p, x, t, start, stop, found):
{body}
    return total
"""


def graph_training(graph: Graph, loss: str, optimizer: str) -> str:
    """The training of an expression graph: see _training."""
    return _training(_graph_sums(graph, loss), optimizer)


def layers_training(widths: Sequence[int], bias: bool, loss: str, optimizer: str) -> str:
    """The training of a perceptron, laid out as weight_0 [O, I], bias_0 [O], weight_1, ...: see _training."""
    return _training(_layers_sums(widths, bias, loss), optimizer)


def _training(sums: str, optimizer: str) -> str:
    """The module that defines advance(...): steps first..first+count-1 of every run, changed in place.

    `sums` defines sums(p, x, t, start, stop, found): the sum of the loss over some samples, and those of
    its gradient. parameters [R, P], states [R, K, P], constants [R, C], table [S, C, R], wanted [S, R],
    alive, taken [R], clip [R] or [0]; a step's samples x [S or 1, V, B], t [S or 1, T, B], or all samples
    [1, V, N] and which of them each run takes, index [S, R, B] (else [S, R, 0]). Into row slots [S] of
    losses, norms [H, R] and path [H, R, C], the parameters `columns` [C], goes what a step was like; into
    last [R] the latest loss. The sums of a step are divided by `divisor`.
    """
    called = (Path(__file__).with_name(name) for name in ("numba_update.py", "numba_layers.py"))
    advance = ADVANCE.format(optimizer=optimizer, block=BLOCK)
    return f"# over {source_cache.version(*called)}\n{HEADER}import numpy as np\n{sums}{advance}"


def _layers_sums(widths: Sequence[int], bias: bool, loss: str) -> str:
    """The sums of a perceptron: forward through its layers, the loss, and back."""
    places, at = [], 0
    for features, outputs in pairwise(widths):
        weight, at = at, at + outputs * features
        places.append((weight, at if bias else -1))
        at += outputs * bias
    last = len(places)
    lines = ["size = stop - start", "a0 = x[:, start:stop]"]
    for layer, (weight, bias_at) in enumerate(places, 1):
        lines += [
            f"a{layer} = np.empty(({widths[layer]}, size), p.dtype)",
            f"forward(p, {weight}, {bias_at}, a{layer - 1}, a{layer}, {layer < last})",
        ]
    kind = "cross_entropy" if loss == "cross_entropy" else "squared_errors"
    lines += [f"d{last} = np.empty_like(a{last})", f"total = {kind}(a{last}, t[:, start:stop], d{last})"]
    for layer, (weight, bias_at) in reversed(list(enumerate(places, 1))):
        lines += [f"backward(p, {weight}, {bias_at}, a{layer - 1}, d{layer}, found)"]
        if layer > 1:
            lines += [
                f"d{layer - 1} = np.empty_like(a{layer - 1})",
                f"to_inputs(p, {weight}, a{layer - 1}, d{layer}, d{layer - 1})",
            ]
    return LAYERS.format(body=indented(lines, 1))


def _graph_sums(graph: Graph, loss: str) -> str:
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
        outside=indented(outside, 1),
        zeros=indented(["total = zero", *(f"g{i} = zero" for i in range(len(graph.gradient)))], 1),
        loop=indented(loop, 2),
        results=indented([f"found[{i}] = g{i}" for i in range(len(graph.gradient))], 1),
    )
