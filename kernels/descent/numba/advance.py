"""The whole training of R runs in Numba, around the machine code of a model's loss and gradient."""

from math import isfinite, nan

import numpy as np
from numba import njit

from ...common.native import call
from ...common.numba_cache import cached
from ...random.numba_permutation import samples
from ...random.numba_words import pair_keys
from ...random.reference import Purpose
from .blocks import sum_blocks
from .update import mean_and_norm, restore

DROPOUT = int(Purpose.DROPOUT)


@njit(
    error_model="numpy", inline="always"
)  # a call would count references, which takes longer than a few samples
def loss_and_gradient(sums, block, p, c, keys, x, t, divisor, total, scratch, gradient, helpers):
    """The loss of one minibatch, x [V, B] and t [T, B], and the norm of its gradient.

    Blocks are added in their order, in `total`, which holds zeros before and after.
    """
    size = x.shape[1]
    if size <= block:
        call(sums, (p, c, keys, 0, x, size, t, size, size, total, scratch))
    else:
        sum_blocks(sums, block, p, c, keys, x, t, total, scratch, helpers)
    loss = p.dtype.type(total[0] / divisor)
    total[0] = 0.0
    return loss, p.dtype.type(mean_and_norm(total, divisor, gradient))


@njit(error_model="numpy")
def gather(data, index, batch):
    """batch [V, B] = the samples `index` of data [V, N]."""
    for v in range(data.shape[0]):
        for n in range(index.size):
            batch[v, n] = data[v, index[n]]


@cached
def advance(
    start, stop, sums, block, room, streams, update, parameters, states, alive, count, constants,
    model_constants, seeds, setting, steps, clip, losses, norms, path, columns, last, x, t, keys, table,
    slots, epoch, batch, divisor, origin, first, end, together, crew, offer, finish,
):  # fmt: skip
    """Makes rows first..end-1 of a Block for runs start..stop-1.

    `sums`, the address of machine code, adds a block's loss and gradient, as llvm_source.sums_source says; a
    block has at most `block` samples, and it takes `room` numbers of scratch memory, and the keys of dropout
    of `streams` layers. Each run in turn makes `together` steps, so that their minibatches stay in a cache.
    `crew` [R, H, WORDS] are the slots of each run's helpers, for common.crew's `offer` and `finish`.
    `update`, another address, makes the optimizer's step, as update.llvm_source says. The other arguments are
    the fields of Runs, Record, Block and Batches, and the optimizer's states [R, K, P].
    """
    own = batch if keys.size > 0 else 0
    index = np.empty(own, np.int64)
    x_own = np.empty((x.shape[2], own), x.dtype)
    t_own = np.empty((t.shape[2], own), t.dtype)
    scratch = np.empty(room, parameters.dtype)
    gradient = np.empty_like(parameters[0])
    total = np.zeros(1 + gradient.size)
    totals = np.zeros((crew.shape[1], total.size))
    scratches = np.empty((crew.shape[1], room), parameters.dtype)
    noise = np.empty((streams, 2), np.int64)
    old = np.empty_like(gradient)
    old_state = np.empty_like(states[0])
    finite = np.empty(1, np.int64)
    recorded = losses.shape[0] - 1
    for top in range(first, end, together):
        for r in range(start, stop):
            p, state = parameters[r], states[r]
            own_constants, c = constants[r], model_constants[r]
            helpers = crew[r], totals, scratches, offer, finish
            data = r % x.shape[1]
            for row in range(top, min(top + together, end)):
                slot = slots[row]
                if slot < recorded:
                    losses[slot, r] = nan
                    for i in range(columns.size):
                        path[slot, r, i] = p[columns[i]]
                last[r] = nan
                if not (alive[r] and origin + row < steps[r]):
                    continue
                pair_keys(seeds[r], DROPOUT, origin + row, noise)
                if own > 0:
                    samples(keys[r], epoch, x.shape[3], (origin + row) * batch, index)
                    gather(x[0, data], index, x_own)
                    gather(t[0, data], index, t_own)
                    loss, norm = loss_and_gradient(
                        sums, block, p, c, noise, x_own, t_own, divisor, total, scratch, gradient, helpers
                    )
                else:
                    step = row % x.shape[0]
                    x_all, t_all = x[step, data], t[step, data]
                    loss, norm = loss_and_gradient(
                        sums, block, p, c, noise, x_all, t_all, divisor, total, scratch, gradient, helpers
                    )
                last[r] = loss
                if slot < recorded:
                    losses[slot, r], norms[slot, r] = loss, norm
                if clip.size > 0 and norm > clip[r]:
                    for i in range(p.size):
                        gradient[i] *= clip[r] / (norm + p.dtype.type(1e-6))
                now = row * table.shape[1] * table.shape[2] + setting[r]
                replaced = p, gradient, state, old, old_state
                call(update, (*replaced, own_constants, table, now, table.shape[2], p.size, finite))
                if finite[0] and isfinite(loss):
                    count[r] += 1
                else:
                    restore(p, state, old, old_state)
                    alive[r] = False
