"""Small linear algebra of one fit in Numba, and the two kinds of step; algebra.py is its twin.

All numbers are float64. A matrix is stored by columns, `columns` [K, M], so that a column is contiguous.
"""

from math import isfinite, sqrt

import numpy as np
from numba import njit

from ..common.native import call
from .llvm_algebra import LANES
from .method import DETERMINED, NEAR, SEARCHES, SINGULAR_PIVOT

TINY = float(np.finfo(np.float64).tiny)
LEAST = float(np.finfo(np.float64).eps) ** DETERMINED

exact = njit(error_model="numpy", fastmath={"contract"})
summed = njit(error_model="numpy", fastmath={"contract", "reassoc"})


@summed
def dot(columns, a, b, start, stop):
    """The product of two columns over rows start..stop-1."""
    total = 0.0
    for i in range(start, stop):
        total += columns[a, i] * columns[b, i]
    return total


@exact
def whole(rows):
    """The rows, filled up to a multiple of what triangularization() takes."""
    return (rows + LANES - 1) // LANES * LANES


@exact
def norm_of(weight, vector):
    """|weight vector|."""
    total = 0.0
    for i in range(vector.size):
        total += (weight[i] * vector[i]) ** 2
    return sqrt(total)


@exact
def newton(work, weight, step, length, radius, inner):
    """Newton's change of the damping, so that `length` = |weight s| becomes the radius: as in lmpar."""
    size = step.size
    total = 0.0
    for k in range(size):
        value = weight[k] * weight[k] * step[k] / length
        for j in range(k):
            value -= work[k, j] * inner[j]
        inner[k] = value / work[k, k]
        total += inner[k] * inner[k]
    return (length - radius) / radius / total


@exact
def solve(code, root, free, diagonal, work, step):
    """Writes s of free columns that minimizes |A s + c|^2 + |diagonal s|^2; `work` gets the triangle.

    `code` holds the addresses of a graph's rows, and of llvm_algebra's triangularize and solve.
    """
    call(code[2], (root, free, diagonal, work, step, step.size, root.shape[1]))


@exact
def damped_step(code, root, free, weight, radius, damping, work, diagonal, step, inner, gradient):
    """Writes the Gauss-Newton step where it lies within the radius, else a damped one -> its damping."""
    size = step.size
    for k in range(size):
        diagonal[k] = 0.0
    solve(code, root, free, diagonal, work, step)
    length = norm_of(weight, step)
    if length <= (1 + NEAR) * radius:
        return 0.0
    low = newton(work, weight, step, length, radius, inner)
    if not isfinite(low):
        low = 0.0
    total = 0.0
    for k in range(size):
        if free[k]:
            total += (gradient[k] / weight[k]) ** 2
    high = sqrt(total) / radius if total > 0.0 else TINY / min(radius, NEAR)
    damping = min(max(damping, low), high)
    excess = 0.0
    for _ in range(SEARCHES):
        if damping <= 0.0:
            damping = max(1e-3 * high, TINY)
        for k in range(size):
            diagonal[k] = sqrt(damping) * weight[k]
        solve(code, root, free, diagonal, work, step)
        length = norm_of(weight, step)
        before = excess
        excess = length - radius
        if abs(excess) <= NEAR * radius or (low == 0.0 and excess <= before and before < 0.0):
            break
        change = newton(work, weight, step, length, radius, inner)
        if excess > 0.0:
            low = max(low, damping)
        if excess < 0.0:
            high = min(high, damping)
        damping = max(low, damping + change)
    return damping


@exact
def shortened_step(code, root, free, weight, radius, work, diagonal, step):
    """Writes the Gauss-Newton step, cut to the radius -> whether A has not full rank."""
    size = step.size
    for k in range(size):
        diagonal[k] = 0.0
    solve(code, root, free, diagonal, work, step)
    length = norm_of(weight, step)
    if length > radius:
        for k in range(size):
            step[k] *= radius / length
    for k in range(size):  # noqa: SIM110 (Numba compiles no generator)
        if not abs(work[k, k]) > SINGULAR_PIVOT * sqrt(dot(work, k, k, 0, k + 1)):
            return True
    return False


@exact
def attainable_reduction(code, root, significant, norm, work, diagonal, step, enough):
    """The largest reduction of |A s + c|^2, by the Gauss-Newton step of the `significant` columns.

    |c|^2 is an upper bound of it, and is returned instead where it is at most `enough`.
    """
    size = step.size
    bound = dot(root, size, size, 0, size)
    if bound <= enough:
        return bound
    for k in range(size):
        diagonal[k] = LEAST * norm[k]
    solve(code, root, significant, diagonal, work, step)
    reduction = 0.0
    for i in range(size):
        change = 0.0
        for k in range(size):
            if significant[k]:
                change += root[k, i] * step[k]
        reduction -= change * (change + 2 * root[size, i])
    return reduction
