"""The loops over runs and blocks of samples around a graph's machine code, which has no loop over those."""

import numpy as np
from numba import njit

from ..common.native import call
from ..common.numba_cache import cached
from .llvm_source import BLOCK


@njit(error_model="numpy")
def block_of(data, first, block):
    """block [V, BLOCK] = samples first, first + 1, ... of data [B, V]."""
    for v in range(block.shape[0]):
        for n in range(min(block.shape[1], data.shape[0] - first)):
            block[v, n] = data[first + n, v]


@cached
def loss_and_gradient(start, stop, sums, p, c, x, t, partial):
    """partial [R, blocks, 1 + P] = the sums of each block, for tasks start..stop-1 of R blocks.

    p [R, P], c [R, C], x [R or 1, B, V], t [R or 1, B, T]; `sums` is the address of llvm_source's function.
    """
    blocks = partial.shape[1]
    x_block = np.empty((x.shape[2], BLOCK), x.dtype)
    t_block = np.empty((t.shape[2], BLOCK), t.dtype)
    for task in range(start, stop):
        run, block = task // blocks, task % blocks
        first, own = block * BLOCK, partial[run, block]
        size = min(BLOCK, x.shape[1] - first)
        block_of(x[run % x.shape[0]], first, x_block)
        block_of(t[run % t.shape[0]], first, t_block)
        own[:] = 0.0
        call(sums, (p[run], c[run], own, 0, x_block, BLOCK, t_block, BLOCK, size, own, own))


@cached
def loss_and_gradient_of_a_column(start, stop, sums, p, c, x, t, partial):
    """The same of one input and one target, x and t [R or 1, B], which are read where they lie."""
    blocks = partial.shape[1]
    for task in range(start, stop):
        run, block = task // blocks, task % blocks
        first, own = block * BLOCK, partial[run, block]
        size = min(BLOCK, x.shape[1] - first)
        own[:] = 0.0
        x_block, t_block = x[run % x.shape[0], first:], t[run % t.shape[0], first:]
        call(sums, (p[run], c[run], own, 0, x_block, BLOCK, t_block, BLOCK, size, own, own))


@cached
def means(start, stop, partial, size, samples, terms, out):
    """out [K, R, 1 + P] = the blocks' sums in their order, `size` samples at a time, divided by their terms.

    For tasks start..stop-1 of K R; partial [R, blocks, 1 + P]. `terms` of a sample are 0 of a plain sum.
    """
    runs, together = out.shape[1], size // BLOCK
    for task in range(start, stop):
        place, run = task // runs, task % runs
        first = place * together
        last = min(first + together, partial.shape[1])
        count = (min(last * BLOCK, samples) - first * BLOCK) * terms
        for column in range(partial.shape[2]):
            value = 0.0
            for block in range(first, last):
                value += partial[run, block, column]
            out[place, run, column] = value / float(max(count, 1))


@cached
def predict(start, stop, values, p, x, y):
    """y [R, B, T] = the outputs of x [R or 1, B, V], for tasks start..stop-1 of R blocks."""
    blocks = -(-y.shape[1] // BLOCK)
    x_block = np.zeros((x.shape[2], BLOCK), x.dtype)
    y_block = np.empty((y.shape[2], BLOCK), y.dtype)
    for task in range(start, stop):
        run, first = task // blocks, task % blocks * BLOCK
        size = min(BLOCK, y.shape[1] - first)
        block_of(x[run % x.shape[0]], first, x_block)
        call(values, (p[run], x_block, BLOCK, size, y_block, BLOCK))
        for n in range(size):
            for k in range(y.shape[2]):
                y[run, first + n, k] = y_block[k, n]
