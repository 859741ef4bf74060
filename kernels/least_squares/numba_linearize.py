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
def room_for(p, targets, most):
    """Memory for the `columns` of `evaluate` of up to `most` samples: a triangle, and a block of rows."""
    samples = min(most, samples_of(targets))
    return np.empty((p.size + 1, whole(p.size) + targets * whole(samples)))


@exact
def most_samples(places):
    """The most samples of a fit, by `places` [R, 4]."""
    most = 0
    for r in range(places.shape[0]):
        most = max(most, places[r, 3])
    return most


@exact
def own(r, places, x, t, w):
    """The samples of fit r: columns of x [V, X], t [T, Y] and w [W or 0] by `places` [R, 4]:
    where they begin in each of the three, and how many they are."""
    count = places[r, 3]
    x_start, t_start = places[r, 0], places[r, 1]
    w_start = places[r, 2] if w.size > 0 else 0
    w_stop = w_start + count if w.size > 0 else 0
    return x[:, x_start : x_start + count], t[:, t_start : t_start + count], w[w_start:w_stop]


@exact
def evaluate(code, p, c, x, t, w, columns, rss):
    """Writes |e|^2 at `p` into rss [1]; returns how many rows of `columns` wait for `finish`.

    c [C], the constants of a loss; x [V, N], t [T, N], w [N or 0]; `columns` is room_for(p, T, N or more).

    Each block of rows is triangularized under the triangle of those before, so that the condition number
    isn't squared and memory is bounded. The last block waits for `finish`: a fit that ends with this
    evaluation needs no triangle.
    """
    targets, samples, size = t.shape[0], t.shape[1], p.size
    x_stride, t_stride = x.strides[0] // x.itemsize, t.strides[0] // t.itemsize
    block = samples_of(targets)
    rss[0] = 0.0
    if samples <= block:
        data = x, x_stride, t, t_stride, w, samples
        call(code[0], (p, c, *data, columns, columns.shape[1], rss))
        return targets * whole(samples)
    filled = 0
    for start in range(0, samples, block):
        count = min(block, samples - start)
        under = columns[:, filled:]
        data = x[:, start:], x_stride, t[:, start:], t_stride, w[start:], count
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
