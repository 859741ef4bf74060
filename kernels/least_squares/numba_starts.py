"""Where fits may start, in Numba: the best of many candidates, whose linear parameters are solved for."""

from math import inf, sqrt

import numpy as np

from ..common.numba_cache import cached
from .numba_algebra import exact
from .numba_linearize import evaluate, finish, most_samples, own, room_for

DEPENDENT = 1e-8  # of a column's norm: where it depends on those before, so much is left, or less


@exact
def solved(root, linear, basis, factor, step):
    """Writes the `step` s of the `linear` parameters that makes |A s + c|^2 least; returns what that gains.

    root [P + 1, P] holds the columns of A, and c; `basis` [P, P], `factor` [P, P] are memory. By modified
    Gram and Schmidt; a column that depends on those before is left out.
    """
    size = step.size
    c = root[size]
    fall = 0.0
    for k in range(size):
        step[k] = 0.0
        factor[k, k] = 0.0
        if not linear[k]:
            continue
        before = 0.0
        for i in range(size):
            basis[k, i] = root[k, i]
            before += root[k, i] * root[k, i]
        for j in range(k):
            if factor[j, j] > 0.0:
                product = 0.0
                for i in range(size):
                    product += basis[j, i] * basis[k, i]
                factor[j, k] = product
                for i in range(size):
                    basis[k, i] -= product * basis[j, i]
        square = 0.0
        for i in range(size):
            square += basis[k, i] * basis[k, i]
        if not square > DEPENDENT * DEPENDENT * before:
            continue
        factor[k, k] = sqrt(square)
        product = 0.0
        for i in range(size):
            basis[k, i] /= factor[k, k]
            product += basis[k, i] * c[i]
        step[k] = -product
        fall += product * product
    for k in range(size - 1, -1, -1):
        if factor[k, k] > 0.0:
            for j in range(k + 1, size):
                if factor[j, j] > 0.0:
                    step[k] -= factor[k, j] * step[j]
            step[k] /= factor[k, k]
    return fall


@cached
def best_of(start, stop, code, candidates, linear, lower, upper, places, x, t, w, c, best, squares):
    """The best candidate of each of M parts, of runs start..stop-1.

    candidates [R, C, P]: number i belongs to part i % M; `linear` [P] says which parameters are solved for.
    lower, upper [R, P], places [R, 4], x [V, X], t [T, Y], w [W or 0] as in `own`, c [R, 0].
    best [R, M, P] and squares [R, M], |e|^2, infinite where no candidate is finite, are written.
    """
    size, parts = candidates.shape[2], best.shape[1]
    columns = room_for(candidates[0, 0], t.shape[0], most_samples(places))
    root, rss = np.empty((size + 1, size)), np.empty(1)
    basis, factor, step = np.empty((size, size)), np.zeros((size, size)), np.empty(size)
    for r in range(start, stop):
        x_own, t_own, w_own = own(r, places, x, t, w)
        squares[r] = inf
        for i in range(candidates.shape[1]):
            p, part = candidates[r, i], i % parts
            filled = evaluate(code, p, c[r], x_own, t_own, w_own, columns, rss)
            if not (rss[0] < inf and finish(code, columns, filled, root)):
                continue
            left = rss[0] - solved(root, linear, basis, factor, step)
            if left < squares[r, part]:
                squares[r, part] = left
                for k in range(size):
                    best[r, part, k] = min(max(p[k] + step[k], lower[r, k]), upper[r, k])
