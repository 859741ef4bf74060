"""A model, a loss and an optimizer -> the Numba source text of their whole training."""

from pathlib import Path

from ... import random
from ...common import source_cache
from ...expression.numba_source import BLOCK, HEADER, sums_source
from ...language.graph import Graph

CALLED = (
    Path(__file__).with_name("update.py"),
    Path(random.__file__).with_name("numba_permutation.py"),
)

ADVANCE = """
from packtrain.kernels.descent.numba.update import {optimizer} as update
from packtrain.kernels.descent.numba.update import all_finite, norm_of, take
from packtrain.kernels.random.numba_permutation import samples


@njit(error_model="numpy")
def loss_and_gradient(p, x, t, divisor, part, gradient, totals):
    value = 0.0
    for i in range(p.size):
        totals[i] = 0.0
    for start in range(0, x.shape[1], {block}):
        value += sums(p, x, t, start, min(start + {block}, x.shape[1]), part)
        for i in range(p.size):
            totals[i] += part[i]
    for i in range(p.size):
        gradient[i] = totals[i] / divisor
    return p.dtype.type(value / divisor)


@njit(error_model="numpy")
def gather(data, index, batch):
    for v in range(data.shape[0]):
        for n in range(index.size):
            batch[v, n] = data[v, index[n]]


@cached
def advance(
    start, stop, parameters, states, alive, count, constants, setting, steps, clip, losses, norms, path,
    columns, last, x, t, keys, table, slots, epoch, batch, divisor, origin, first, end, together,
):
    own = batch if keys.size > 0 else 0
    index = np.empty(own, np.int64)
    x_own = np.empty((x.shape[1], own), x.dtype)
    t_own = np.empty((t.shape[1], own), t.dtype)
    part = np.empty_like(parameters[0])
    gradient = np.empty_like(parameters[0])
    totals = np.empty(gradient.size)
    new = np.empty_like(gradient)
    new_state = np.empty_like(states[0])
    recorded = losses.shape[0] - 1
    for top in range(first, end, together):
        for r in range(start, stop):
            p, state, which = parameters[r], states[r], setting[r]
            for row in range(top, min(top + together, end)):
                slot = slots[row]
                if slot < recorded:
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
                    loss = loss_and_gradient(p, x_own, t_own, divisor, part, gradient, totals)
                else:
                    step = row % x.shape[0]
                    loss = loss_and_gradient(p, x[step], t[step], divisor, part, gradient, totals)
                norm = p.dtype.type(norm_of(gradient))
                last[r] = loss
                if slot < recorded:
                    losses[slot, r], norms[slot, r] = loss, norm
                if clip.size > 0 and norm > clip[r]:
                    for i in range(p.size):
                        gradient[i] *= clip[r] / (norm + p.dtype.type(1e-6))
                update(p, gradient, state, constants, r, table, row, which, new, new_state)
                if all_finite(loss, new, new_state):
                    take(p, new, state, new_state)
                    count[r] += 1
                else:
                    alive[r] = False
"""


def graph_training(graph: Graph, loss: str, optimizer: str) -> str:
    """The module that trains an expression graph: see _training for what it defines.

    >>> from packtrain.kernels.descent.numba.source import graph_training
    >>> from packtrain.kernels.language import parse
    >>> "def advance(" in graph_training(parse("xy = a*x + b"), "mse", "adam")
    True
    """
    return _training(sums_source(graph, loss), optimizer)


def _training(sums: str, optimizer: str) -> str:
    """The module that defines advance(...): makes rows first..end-1 of a Block for runs start..stop-1.

    The source `sums` defines sums(p, x, t, start, stop, gradient): it returns the loss and writes its
    gradient, both summed over samples start..stop-1; advance divides them by `divisor`. Each run in turn
    makes `together` steps, so that their minibatches stay in a cache. The other arguments are the fields of
    Runs, Record, Block and Batches, and the optimizer's states [R, K, P].
    """
    advance = ADVANCE.format(optimizer=optimizer, block=BLOCK)
    return f"# over {source_cache.version(*CALLED)}\n{HEADER}{sums}{advance}"
