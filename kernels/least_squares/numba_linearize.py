"""The linear problem of one fit in Numba, by QR: see linearize.py for what is computed."""

from math import isfinite
from typing import Any

import numpy as np

from .numba_algebra import exact, made_for

BLOCK = 1024  # rows of [J | e] that are triangularized at a time


@exact
def room_for(p, t):
    """Memory for the `columns` of `evaluate`: a triangle, and under it a block of rows."""
    return np.empty((p.size + 1, p.size + min(t.size, max(BLOCK, t.shape[1]))))


def make_linearize(rows: Any, triangularize: Any) -> Any:
    """`evaluate` and `finish` of a graph, whose compiled `rows` writes rows of [J | e].

    Each block of rows is triangularized under the triangle of those before, so that the condition number
    isn't squared and memory is bounded. The last block waits for `finish`: a fit that ends with this
    evaluation needs no triangle.
    """
    made = made_for(rows)

    @made
    def evaluate(p, x, t, w, columns):
        """|e|^2 at `p`, and the number of rows of `columns` that wait for `finish`."""
        samples, targets, size = t.shape[0], t.shape[1], p.size
        block = max(1, BLOCK // targets)
        rss = 0.0
        filled = 0
        for start in range(0, samples, block):
            stop = min(start + block, samples)
            rss += rows(p, x, t, w, start, stop, columns, filled)
            filled += (stop - start) * targets
            if stop < samples:
                triangularize(columns, filled, size)
                filled = min(filled, size)
                for k in range(size):
                    for i in range(k + 1, filled):
                        columns[k, i] = 0.0
        return rss, filled

    @made
    def finish(columns, filled, root):
        """Writes the columns of A and, last, c into root [P + 1, P]; returns whether they are finite."""
        size = root.shape[1]
        triangularize(columns, filled, size)
        finite = True
        for k in range(size + 1):
            for i in range(size):
                root[k, i] = columns[k, i] if i < filled and i <= k else 0.0
                finite = finite and isfinite(root[k, i])
        return finite

    return evaluate, finish
