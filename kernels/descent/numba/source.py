"""A model, a loss and an optimizer -> the Numba source text of their whole training."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ... import random
from ...common import source_cache
from ...expression.numba_source import BLOCK, HEADER, sums_source
from ...expression.statements import indented
from ...language.graph import Graph

CALLED = (
    *(Path(__file__).with_name(name) for name in ("update.py", "layers.py")),
    Path(random.__file__).with_name("numba_permutation.py"),
)

ADVANCE = """
from packtrain.kernels.descent.numba.update import {optimizer} as update
from packtrain.kernels.descent.numba.update import all_finite, norm_of, take
from packtrain.kernels.random.numba_permutation import samples


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


@kept
def advance(
    start, stop, parameters, states, alive, taken, constants, setting, steps, clip, losses, norms, path,
    columns, last, x, t, keys, table, slots, epoch, batch, divisor, origin, first, end, together,
):
    own = batch if keys.size > 0 else 0
    index = np.empty(own, np.int64)
    x_own = np.empty((x.shape[1], own), x.dtype)
    t_own = np.empty((t.shape[1], own), t.dtype)
    found = np.empty_like(parameters[0])
    gradient = np.empty_like(parameters[0])
    totals = np.empty(gradient.size)
    new = np.empty_like(gradient)
    moved = np.empty_like(states[0])
    kept = losses.shape[0] - 1
    for top in range(first, end, together):
        for r in range(start, stop):
            p, state, which = parameters[r], states[r], setting[r]
            for row in range(top, min(top + together, end)):
                slot = slots[row]
                if slot < kept:
                    losses[slot, r] = nan
                    for i in range(columns.size):
                        path[slot, r, i] = p[columns[i]]
                last[r] = nan
                if not (alive[r] and origin + row < steps[r]):
                    continue
                if own > 0:
                    samples(keys[r], epoch, x.shape[2], (origin + row) * batch, index)
                    gather(x[0], index, x_own)
                    gather(t[0], index, t_own)
                    loss = loss_and_gradient(p, x_own, t_own, divisor, found, gradient, totals)
                else:
                    step = row % x.shape[0]
                    loss = loss_and_gradient(p, x[step], t[step], divisor, found, gradient, totals)
                norm = p.dtype.type(norm_of(gradient))
                last[r] = loss
                if slot < kept:
                    losses[slot, r], norms[slot, r] = loss, norm
                if clip.size > 0 and norm > clip[r]:
                    for i in range(p.size):
                        gradient[i] *= clip[r] / (norm + p.dtype.type(1e-6))
                update(p, gradient, state, constants, r, table, row, which, new, moved)
                if all_finite(loss, new, moved):
                    take(p, new, state, moved)
                    taken[r] += 1
                else:
                    alive[r] = False
"""

LAYERS = """
from packtrain.kernels.descent.numba.layers import backward, cross_entropy, forward, squared_errors, to_inputs


@njit(error_model="numpy")
def sums(p, x, t, start, stop, found):
{body}
    return total
"""


def graph_training(graph: Graph, loss: str, optimizer: str) -> str:
    """The training of an expression graph: see _training."""
    return _training(sums_source(graph, loss), optimizer)


def layers_training(widths: Sequence[int], bias: bool, loss: str, optimizer: str) -> str:
    """The training of a perceptron, laid out as weight_0 [O, I], bias_0 [O], weight_1, ...: see _training."""
    return _training(_layers_sums(widths, bias, loss), optimizer)


def _training(sums: str, optimizer: str) -> str:
    """The module that defines advance(...): rows first..end-1 of a Block for runs start..stop-1, in place.

    `sums` defines sums(p, x, t, start, stop, found): the sum of the loss over some samples, and those of
    its gradient, which are divided by `divisor`. Each run in turn makes `together` steps, whose minibatches
    then still lie in a cache. The other arguments are the fields of Runs, Record, Block and Batches, and
    states [R, K, P], what the optimizer remembers.
    """
    advance = ADVANCE.format(optimizer=optimizer, block=BLOCK)
    return f"# over {source_cache.version(*CALLED)}\n{HEADER}{sums}{advance}"


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
