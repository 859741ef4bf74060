"""What a joint fit says of the parameters of each group, in Numba: see joint_inference.py."""

from math import sqrt

import numpy as np

from ..common.native import call
from ..common.numba_cache import cached
from .numba_algebra import dot, exact, whole
from .numba_joint import BLOCK, triangle_of


@exact
def _independent(code, root, usable, least, order, work):
    """Puts local columns in an `order` [L] whose first are independent, and triangularizes -> their count.

    A usable column counts as dependent on those before it where what is left of it is at most `least` of it.
    """
    size, local = root.shape[0] - 1, order.size
    count = 0
    for k in range(local):
        if usable[k]:
            order[count] = k
            count += 1
    last = local
    for k in range(local - 1, -1, -1):
        if not usable[k]:
            last -= 1
            order[last] = k
    while True:
        work[:] = 0.0
        for n in range(size + 1):
            k = order[n] if n < local else n
            for i in range(min(k + 1, size)):
                work[n, i] = root[k, i]
        call(code[1], (work, work.shape[1], work.shape[1], count, size + 1))
        n = 0
        while n < count and abs(work[n, n]) > least * sqrt(dot(root, order[n], order[n], 0, size)):
            n += 1
        if n == count:
            return count
        count -= 1
        order[n], order[count] = order[count], order[n]


@cached
def reduce(start, stop, bounds, code, root, usable, least, rows, triangles):
    """Eliminates the local columns of each group that are independent, for what is said of parameters.

    root [A, P + 1, P], usable [A, P], `least` as in _independent. Written, of blocks start..stop-1: rows
    [A, P + 1, L] of the local parameters, of which as many aren't zeros as columns are independent; and
    triangles [B, S + 1, S] of the shared ones.
    """
    size = root.shape[2]
    local = rows.shape[2]
    order, work = np.empty(local, np.int64), np.empty((size + 1, whole(size)))
    stack = np.empty((size + 1 - local, whole(BLOCK * size)))
    for b in range(start, stop):
        filled = 0
        for r in range(bounds[b], bounds[b + 1]):
            count = _independent(code, root[r], usable[r], least, order, work)
            for n in range(size + 1):
                k = order[n] if n < local else n
                for i in range(count):
                    rows[r, k, i] = work[n, i] if i <= n else 0.0
            for k in range(local, size + 1):
                for i in range(count, size):
                    stack[k - local, filled + i - count] = work[k, i]
            filled += size - count
        triangle_of(code, stack, filled, triangles[b])
