"""The same method in Numba: each fit alone, from start to end, the fits spread over the cores.

All numbers are float64. A matrix is kept by columns, `columns` [K, M], so that a column is contiguous.
"""

from math import inf, isfinite, sqrt
from typing import Any

import numpy as np
from numba import njit

from kernels.least_squares.method import (
    NEAR,
    ROUNDINGS,
    SEARCHES,
    SINGULAR_PIVOT,
    STUCK_COSINE,
    STUCK_ROUNDINGS,
    Status,
)

BLOCK = 1024  # rows of [J | e] that are triangularized at a time
EPS, TINY = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)
RUNNING, GRADIENT, COST, STEP, ROUNDING, NOT_FINITE, STUCK, SINGULAR, EXHAUSTED = map(int, Status)

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
def triangularize(columns, rows, pivots):
    """Householder's QR of the first `rows` rows, in place, for the first `pivots` columns.

    What is left below the diagonal of those columns stands for zeros.
    """
    for k in range(min(pivots, rows)):
        norm = sqrt(dot(columns, k, k, k, rows))
        if norm == 0.0:
            continue
        diagonal = -norm if columns[k, k] > 0.0 else norm
        columns[k, k] -= diagonal
        factor = -1.0 / (diagonal * columns[k, k])
        for j in range(k + 1, columns.shape[0]):
            scale = factor * dot(columns, k, j, k, rows)
            for i in range(k, rows):
                columns[j, i] -= scale * columns[k, i]
        columns[k, k] = diagonal


@exact
def norm_of(weight, vector):
    """|weight vector|."""
    total = 0.0
    for i in range(vector.size):
        total += (weight[i] * vector[i]) ** 2
    return sqrt(total)


@exact
def newton(work, weight, step, length, radius, inner):
    """How far Newton's iteration moves the damping, so that `length` = |weight s| becomes the radius."""
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
def new_radius(radius, ratio, gained, rss, slack, length, damping):
    """A quarter or less of what was promised: shrink, to the minimum of a parabola; most of it: grow."""
    if ratio > 0.25:
        return 2 * length if ratio >= 0.75 or damping == 0.0 else radius
    parabola = 0.5 if gained >= 0.0 else 0.5 * slack / (slack - 0.5 * gained)
    factor = parabola if parabola >= 0.1 and gained > -99 * rss else 0.1
    return factor * min(radius, 10 * length)


def make_steps(triangularize: Any) -> Any:
    """The two kinds of step, over a QR of [P + 1, M] columns."""

    @exact
    def solve(root, free, diagonal, work, step):
        """step: the s of free columns that minimizes |A s + c|^2 + |diagonal s|^2; `work`: its triangle."""
        size = step.size
        plain = True
        for k in range(size):
            plain = plain and free[k] and diagonal[k] == 0.0
        for k in range(size + 1):
            for i in range(size):
                work[k, i] = root[k, i] if k == size or free[k] else 0.0
                work[k, size + i] = 0.0
        if not plain:
            for k in range(size):
                work[k, size + k] = diagonal[k] if free[k] else 1.0
            triangularize(work, 2 * size, size)
        for k in range(size - 1, -1, -1):
            value = -work[size, k]
            for j in range(k + 1, size):
                value -= work[j, k] * step[j]
            step[k] = value / work[k, k]

    @exact
    def damped_step(root, free, weight, radius, damping, work, diagonal, step, inner, slope):
        """step: Gauss-Newton's where it lies within the radius, else a damped one -> its damping."""
        size = step.size
        for k in range(size):
            diagonal[k] = 0.0
        solve(root, free, diagonal, work, step)
        length = norm_of(weight, step)
        if length <= (1 + NEAR) * radius:
            return 0.0
        low = newton(work, weight, step, length, radius, inner)
        if not isfinite(low):
            low = 0.0
        total = 0.0
        for k in range(size):
            if free[k]:
                total += (slope[k] / weight[k]) ** 2
        high = sqrt(total) / radius if total > 0.0 else TINY / min(radius, NEAR)
        damping = min(max(damping, low), high)
        excess = 0.0
        for _ in range(SEARCHES):
            if damping <= 0.0:
                damping = max(1e-3 * high, TINY)
            for k in range(size):
                diagonal[k] = sqrt(damping) * weight[k]
            solve(root, free, diagonal, work, step)
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
    def shortened_step(root, free, weight, radius, work, diagonal, step):
        """step: Gauss-Newton's, no longer than the radius -> whether the problem is singular."""
        size = step.size
        for k in range(size):
            diagonal[k] = 0.0
        solve(root, free, diagonal, work, step)
        length = norm_of(weight, step)
        if length > radius:
            for k in range(size):
                step[k] *= radius / length
        for k in range(size):
            if not abs(work[k, k]) > SINGULAR_PIVOT * sqrt(dot(work, k, k, 0, k + 1)):
                return True
        return False

    return damped_step, shortened_step


def make_linearize(rows: Any, triangularize: Any) -> Any:
    """`evaluate` and `finish` of a graph, whose compiled `rows` fills rows of [J | e].

    Blocks of rows are triangularized one after another under the triangle of those before, so that
    the condition number is never squared and memory is bounded. The last block waits for `finish`,
    since a fit that ends with this evaluation needs no triangle.
    """

    @exact
    def evaluate(p, x, t, w, columns):
        """|e|^2 at `p`, and how many rows of `columns` wait for `finish`."""
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

    @exact
    def finish(columns, filled, root):
        """root [P + 1, P]: the columns of A and, last, c; returns whether they are finite."""
        size = root.shape[1]
        triangularize(columns, filled, size)
        finite = True
        for k in range(size + 1):
            for i in range(size):
                root[k, i] = columns[k, i] if i < filled and i <= k else 0.0
                finite = finite and isfinite(root[k, i])
        return finite

    return evaluate, finish


def make_fit(rows: Any, triangularize: Any) -> Any:
    """The `fit` of a graph; functions made here, unlike functions passed along, can be cached on disk."""
    evaluate, finish = make_linearize(rows, triangularize)
    damped_step, shortened_step = make_steps(triangularize)

    @exact
    def fit(damped, p, state, scale, rule, lower, upper, moves, x, t, w, count, history, path):
        """Up to `count` trial steps of one fit, as reference.iterate makes them -> how many, and its Status.

        p, scale [P] and state (radius, damping; radius NaN before the first step) are changed in place;
        rule holds ftol, xtol, gtol, first and size. history [S, 3] gets |e|^2, |J^T e| and the
        damping of each trial, path [S, P] the parameters before it.
        """
        size = p.size
        waiting = min(t.size, max(BLOCK, t.shape[1]))
        columns = np.empty((size + 1, size + waiting))
        root, there, work = (
            np.empty((size + 1, size)),
            np.empty((size + 1, size)),
            np.empty((size + 1, 2 * size)),
        )
        spare = np.empty((6, size))  # not unpacked in one line: Numba frees such views too early
        step, trial, slope = spare[0], spare[1], spare[2]
        weight, diagonal, inner = spare[3], spare[4], spare[5]
        free = np.empty(size, dtype=np.bool_)
        ftol, xtol, gtol, first, extent = rule

        rss, filled = evaluate(p, x, t, w, columns)
        if not (isfinite(rss) and finish(columns, filled, root)):
            return 0, NOT_FINITE
        for taken in range(count):
            cosine, gradient = 0.0, 0.0
            for k in range(size):
                slope[k] = dot(root, k, size, 0, size)
                gradient += slope[k] * slope[k]
                held = (p[k] <= lower[k] and slope[k] > 0.0) or (p[k] >= upper[k] and slope[k] < 0.0)
                free[k] = moves[k] and not held
                norm = sqrt(dot(root, k, k, 0, size)) if free[k] else 0.0
                scale[k] = max(scale[k], norm)
                weight[k] = scale[k] if scale[k] > 0.0 else 1.0
                if norm > 0.0:
                    cosine = max(cosine, abs(slope[k]) / norm)
            if not state[0] >= 0.0:
                reach = norm_of(scale, p)
                state[0] = first * (reach if reach > 0.0 else 1.0) if damped else inf

            singular = False
            damping = 0.0
            if damped:
                damping = damped_step(
                    root, free, weight, state[0], state[1], work, diagonal, step, inner, slope
                )
            else:
                singular = shortened_step(root, free, weight, state[0], work, diagonal, step)
            predicted, size_of_change = 0.0, 0.0
            for k in range(size):
                trial[k] = min(max(p[k] + step[k], lower[k]), upper[k]) if free[k] else p[k]
                step[k] = trial[k] - p[k]
            for i in range(size):
                change = 0.0
                for k in range(size):
                    if free[k]:
                        change += root[k, i] * step[k]
                predicted -= change * (change + 2 * root[size, i])
                size_of_change += change * change

            rss_there, filled = evaluate(trial, x, t, w, columns)
            gained = rss - rss_there if isfinite(rss_there) else -inf
            is_cost = max(abs(gained), abs(predicted)) <= ftol * rss and gained <= 2 * predicted
            if gained > 0.0 and not is_cost and not finish(columns, filled, there):
                gained = -inf
            length, reach = norm_of(weight, step), norm_of(weight, p)
            slack = size_of_change + damping * length * length
            ratio = gained / predicted if predicted > 0.0 else 0.0
            radius = new_radius(state[0], ratio, gained, rss, slack, length, damping)
            rounding = EPS * (ROUNDINGS * sqrt(rss) * extent + rss)
            short = min(radius, length) <= xtol * reach
            stuck = cosine > STUCK_COSINE * sqrt(rss) and rss > STUCK_ROUNDINGS * rounding
            end = RUNNING
            if cosine <= gtol * sqrt(rss):
                end = GRADIENT
            elif singular:
                end = SINGULAR
            elif is_cost:
                end = COST
            elif not gained > 0.0 and abs(predicted) <= rounding:
                end = ROUNDING
            elif short:
                end = STUCK if stuck and not gained > 0.0 else STEP

            history[taken, 0], history[taken, 1], history[taken, 2] = rss, sqrt(gradient), damping
            path[taken] = p
            state[0] = inf if not damped and gained > 0.0 else radius
            state[1] = damping
            if gained > 0.0 and end != GRADIENT:
                p[:] = trial
                rss = rss_there
                root, there = there, root
            if end != RUNNING:
                return taken + 1, end
        return count, RUNNING

    return fit
