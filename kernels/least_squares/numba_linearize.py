"""The linear problem of one fit in Numba, by QR: see linearize.py for what is computed.

`code` holds the addresses of a graph's rows, and of llvm_algebra's triangularize and solve.
"""

from math import isfinite

import numpy as np

from ..common.native import call
from .numba_algebra import exact, whole

BLOCK = 1024  # rows of [J | e] that are triangularized at a time


@exact
def samples_of(targets):
    """The samples of a block, of `targets` rows each."""
    return max(1, BLOCK // targets)


@exact
def room_for(p, t):
    """Memory for the `columns` of `evaluate`: a triangle, and under it a block of rows."""
    samples = min(t.shape[1], samples_of(t.shape[0]))
    return np.empty((p.size + 1, whole(p.size) + t.shape[0] * whole(samples)))


@exact
def evaluate(code, p, c, x, t, w, columns, rss):
    """Writes |e|^2 at `p` into rss [1]; returns how many rows of `columns` wait for `finish`.

    c [C], the constants of a loss; x [V, N], t [T, N], w [N or 0]; `columns` is room_for(p, t).

    Each block of rows is triangularized under the triangle of those before, so that the condition number
    isn't squared and memory is bounded. The last block waits for `finish`: a fit that ends with this
    evaluation needs no triangle.
    """
    targets, samples, size = t.shape[0], t.shape[1], p.size
    block = samples_of(targets)
    rss[0] = 0.0
    filled = 0
    for start in range(0, samples, block):
        count = min(block, samples - start)
        under = columns[:, filled:]
        data = x[:, start:], samples, t[:, start:], samples, w[start:], count
        call(code[0], (p, c, *data, under, columns.shape[1], rss))
        filled += targets * whole(count)
        if start + count < samples:
            call(code[1], (columns, columns.shape[1], filled, min(filled, size), size + 1))
            filled = min(filled, whole(size))
            for k in range(size + 1):
                for i in range(min(k + 1, size), filled):
                    columns[k, i] = 0.0
    return filled


@exact
def finish(code, columns, filled, root):
    """Writes the columns of A and, last, c into root [P + 1, P or more]; returns whether they are finite."""
    size = columns.shape[0] - 1
    call(code[1], (columns, columns.shape[1], filled, min(filled, size), size + 1))
    finite = True
    for k in range(size + 1):
        for i in range(size):
            root[k, i] = columns[k, i] if i < filled and i <= k else 0.0
            finite = finite and isfinite(root[k, i])
    return finite
