"""What a joint fit does group after group, in Numba: see shared.py for what it is for.

The groups of a joint fit follow one another, in blocks of BLOCK; what is summed over groups is summed within
a block, and then block after block, so that its bits depend on neither the threads nor other joint fits.
Columns come in the order local parameters, shared parameters, e. L are the local parameters of a group, S
the shared ones; a group has L + S rows, those of its triangle. `blocks` lists the blocks that are at work,
`bounds` [B + 1] the first group of each, and `owner` [B] the joint fit that it belongs to.

The shared columns are reduced by eliminating the local ones with orthogonal reflections: it is the Schur
complement of the arrow-shaped normal equations, without squaring the condition number. Golub and Pereyra,
"The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate" (1973).
"""

from math import inf, isfinite, sqrt

import numpy as np

from ..common.native import call
from ..common.numba_cache import cached
from .method import FAR, NEGLIGIBLE
from .numba_algebra import dot, exact, whole
from .numba_linearize import evaluate, finish, most_samples, own, room_for

BLOCK = 16


@exact
def _linearize(code, order, p, c, x, t, w, given, columns, ordered, root, rss):
    """Writes |e|^2 at p [P] into rss [1], and the columns of A and c into root [P + 1, P]."""
    size = p.size
    for k in range(size):
        given[order[k]] = p[k]
    filled = evaluate(code, given, c, x, t, w, columns, rss)
    for k in range(size + 1):  # slice to slice, Numba compiles a message for sizes that differ: seconds
        source = order[k] if k < size else size
        for i in range(filled):
            ordered[k, i] = columns[source, i]
    if not (finish(code, ordered, filled, root) and isfinite(rss[0])):
        rss[0] = inf
        root[:] = 0.0


@cached
def linearize(start, stop, blocks, bounds, code, order, runs, p, c, places, x, t, w, root, rss):
    """The linear problems at p [A, P]: |e|^2 into rss [A], triangles into root [A, P + 1, P]."""
    columns = room_for(p[0], t.shape[0], most_samples(places))
    ordered, given = np.empty_like(columns), np.empty(p.shape[1])
    for n in range(start, stop):
        for r in range(bounds[blocks[n]], bounds[blocks[n] + 1]):
            x_own, t_own, w_own = own(runs[r], places, x, t, w)
            data = c[runs[r]], x_own, t_own, w_own
            _linearize(code, order, p[r], *data, given, columns, ordered, root[r], rss[r : r + 1])


@cached
def measure(
    start, stop, blocks, bounds, owner, damped, root, p, lower, upper, free, rounding,
    scale, weight, norm, movable, significant, sums, cosine,
):  # fmt: skip
    """What the columns of each group are, before a step; sums over a block, for those of shared parameters.

    root [A, P + 1, P], p, lower, upper [A, P], free [A, L], rounding [K]. Written: scale, weight, norm,
    movable, significant [A, L], as numba_kernel.scaled; cosine [B], as numba_criteria.largest_cosine; sums
    [B, 4 + 2 S]: of the squares of J^T e, of D^-1 J^T e, of D p and of the columns times p, and for each
    shared parameter J^T e and the square of its column.
    """
    size, local = p.shape[1], free.shape[1]
    for n in range(start, stop):
        b = blocks[n]
        total, least = sums[b], rounding[owner[b]]
        total[:] = 0.0
        cosine[b] = 0.0
        for r in range(bounds[b], bounds[b + 1]):
            for k in range(size):
                slope, square = dot(root[r], k, size, 0, size), dot(root[r], k, k, 0, size)
                if k >= local:
                    total[4 + k - local] += slope
                    total[4 + size - 2 * local + k] += square
                    continue
                value = p[r, k]
                held = (value <= lower[r, k] and slope > 0.0) or (value >= upper[r, k] and slope < 0.0)
                moves = free[r, k] and not held
                length = sqrt(square) if moves else 0.0
                largest = max(scale[r, k], length)
                unit = largest if largest > 0.0 else 1.0
                moves = moves and (length > 0.0 or not damped)
                negligible = length <= NEGLIGIBLE * largest and abs(slope * value) <= FAR * least
                significant[r, k] = length > 0.0 and not negligible
                if significant[r, k]:
                    cosine[b] = max(cosine[b], abs(slope) / length)
                scale[r, k], weight[r, k], norm[r, k], movable[r, k] = largest, unit, length, moves
                total[0] += slope * slope
                total[1] += (slope / unit) ** 2 if moves else 0.0
                total[2] += (largest * value) ** 2
                total[3] += (length * value) ** 2


@exact
def _eliminate(code, root, free, diagonal, factor, work, kept, stack, filled):
    """Eliminates a group's local columns: their rows into kept [P + 1, L], the others under `stack`."""
    size, local = root.shape[0] - 1, free.size
    damped = factor != 0.0
    for k in range(local):
        damped = damped or not free[k]
    rows = size + local if damped else size
    if damped:
        work[:] = 0.0
        for k in range(size + 1):
            if k >= local or free[k]:
                for i in range(min(k + 1, size)):
                    work[k, i] = root[k, i]
        for k in range(local):
            work[k, size + k] = factor * diagonal[k] if free[k] else 1.0
        call(code[1], (work, work.shape[1], work.shape[1], local, size + 1))
    source = work if damped else root
    for k in range(size + 1):
        for i in range(local):
            kept[k, i] = source[k, i]
    for k in range(local, size + 1):
        for i in range(local, rows):
            stack[k - local, filled + i - local] = source[k, i]
    return filled + rows - local


@exact
def triangle_of(code, stack, filled, triangle):
    """Writes the triangle of so many rows of a stack [S + 1, M] into triangle [S + 1, S]; S <= `filled`."""
    size = triangle.shape[1]
    rows = whole(filled)
    stack[:, filled:rows] = 0.0
    call(code[1], (stack, stack.shape[1], rows, size, size + 1))
    for k in range(size + 1):
        for i in range(size):
            triangle[k, i] = stack[k, i] if i <= k else 0.0


@cached
def eliminate(
    start, stop, blocks, bounds, owner, code, root, free, diagonal, factor, kept, triangles
):  # fmt: skip
    """Eliminates local columns under the diagonal matrix factor [K] times diagonal [A, L].

    Columns that aren't free [A, L] count as zero. Written: kept [A, P + 1, L], the rows of the local
    parameters, and triangles [B, S + 1, S], what a block of groups says of the shared ones.
    """
    size, local = root.shape[1] - 1, free.shape[1]
    work = np.empty((size + 1, whole(size + local)))
    stack = np.empty((size + 1 - local, whole(BLOCK * size)))
    for n in range(start, stop):
        b, filled = blocks[n], 0
        for r in range(bounds[b], bounds[b + 1]):
            given = root[r], free[r], diagonal[r], factor[owner[b]]
            filled = _eliminate(code, *given, work, kept[r], stack, filled)
        triangle_of(code, stack, filled, triangles[b])


@cached
def solve_shared(start, stop, fits, first, code, triangles, free, diagonal, step, corner):
    """The steps [K, S] of the shared parameters of joint `fits`, and their triangles, corner [K, S + 1, S].

    `first` [K + 1] is the first block of each; free, diagonal [K, S] as in `eliminate`.
    """
    size = step.shape[1]
    for n in range(start, stop):
        f = fits[n]
        stack = np.zeros((size + 1, whole((first[f + 1] - first[f] + 1) * size)))
        filled = 0
        for b in range(first[f], first[f + 1]):
            for k in range(size + 1):
                if k == size or free[f, k]:
                    for i in range(min(k + 1, size)):
                        stack[k, filled + i] = triangles[b, k, i]
            filled += size
        for k in range(size):
            stack[k, filled + k] = diagonal[f, k] if free[f, k] else 1.0
        triangle_of(code, stack, filled + size, corner[f])
        for k in range(size - 1, -1, -1):
            value = -corner[f, size, k]
            for j in range(k + 1, size):
                value -= corner[f, j, k] * step[f, j]
            step[f, k] = value / corner[f, k, k]


@cached
def substitute(start, stop, blocks, bounds, owner, kept, shared, weight, step, inner, sums):
    """The steps [A, L] of local parameters, by those of shared [K, S]; sums over a block [B, 2 + S].

    The sums are those of Newton's iteration for the damping: of the squares of D s, D being weight [A, L],
    and of the z that the transposed triangle takes to D^2 s; and of the transposed rows that shared
    parameters have in it, times z. `inner` [A, L] gets the z.
    """
    local = weight.shape[1]
    size = kept.shape[1] - 1
    for n in range(start, stop):
        b = blocks[n]
        total, given = sums[b], shared[owner[b]]
        total[:] = 0.0
        for r in range(bounds[b], bounds[b + 1]):
            rows, s, z = kept[r], step[r], inner[r]
            for i in range(local - 1, -1, -1):
                value = -rows[size, i]
                for k in range(local, size):
                    value -= rows[k, i] * given[k - local]
                for k in range(i + 1, local):
                    value -= rows[k, i] * s[k]
                s[i] = value / rows[i, i]
            for i in range(local):
                scaled = weight[r, i] * s[i]
                value = weight[r, i] * scaled
                for k in range(i):
                    value -= rows[i, k] * z[k]
                z[i] = value / rows[i, i]
                total[0] += scaled * scaled
                total[1] += z[i] * z[i]
                for k in range(local, size):
                    total[2 + k - local] += rows[k, i] * z[i]


@cached
def length_and_slope(fits, first, corner, shared, weight, sums, length, slope):
    """|D s| and |L^-T D^2 s / |D s||^2 of the joint `fits`, [K] each: see algebra.search.

    L is the triangle of all parameters of a joint fit, whose last rows are corner [K, S + 1, S].
    """
    size = shared.shape[1]
    inner, total = np.empty(size), np.empty(2 + size)
    for n in range(fits.size):
        f = fits[n]
        total[:] = 0.0
        for b in range(first[f], first[f + 1]):
            total += sums[b]
        for k in range(size):
            scaled = weight[f, k] * shared[f, k]
            value = weight[f, k] * scaled - total[2 + k]
            for j in range(k):
                value -= corner[f, k, j] * inner[j]
            inner[k] = value / corner[f, k, k]
            total[0] += scaled * scaled
            total[1] += inner[k] * inner[k]
        length[f] = sqrt(total[0])
        slope[f] = total[1] / total[0]


@exact
def _reduction(root, step):
    """The reduction of |A s + c|^2 that the step is predicted to bring, and |A s|^2."""
    size = step.size
    predicted, square = 0.0, 0.0
    for i in range(size):
        change = 0.0
        for k in range(i, size):
            change += root[k, i] * step[k]
        predicted -= change * (change + 2.0 * root[size, i])
        square += change * change
    return predicted, square


@cached
def reduction(start, stop, blocks, bounds, owner, root, free, step, shared, sums):
    """The reduction by steps [A, L] of parameters that are free, and of shared ones [K, S]: sums [B, 1]."""
    local, size = step.shape[1], root.shape[1] - 1
    both = np.empty(size)
    for n in range(start, stop):
        b = blocks[n]
        sums[b, 0] = 0.0
        for r in range(bounds[b], bounds[b + 1]):
            for k in range(local):
                both[k] = step[r, k] if free[r, k] else 0.0
            for k in range(local, both.size):
                both[k] = shared[owner[b], k - local]
            sums[b, 0] += _reduction(root[r], both)[0]


@cached
def try_step(
    start, stop, blocks, bounds, owner, code, order, runs, p, step, shared, movable, lower, upper,
    weight, root, c, places, x, t, w, trial, there, rss, sums,
):  # fmt: skip
    """trial = p + step within the bounds, and the linear problem there; sums over a block [B, 3].

    shared [K, S] are the trial values of the shared parameters. The sums are the predicted reduction,
    |A s|^2, and |D s|^2 of the local parameters. trial [A, P]; there, rss as linearize() has them.
    """
    size, local = p.shape[1], step.shape[1]
    columns = room_for(p[0], t.shape[0], most_samples(places))
    ordered, given, change = np.empty_like(columns), np.empty(size), np.empty(size)
    for n in range(start, stop):
        b = blocks[n]
        sums[b] = 0.0
        for r in range(bounds[b], bounds[b + 1]):
            for k in range(local):
                value = p[r, k]
                moved = min(max(value + step[r, k], lower[r, k]), upper[r, k])
                trial[r, k] = moved if movable[r, k] else value
            for k in range(local, size):
                trial[r, k] = shared[owner[b], k - local]
            for k in range(size):
                change[k] = trial[r, k] - p[r, k]
            predicted, square = _reduction(root[r], change)
            sums[b, 0] += predicted
            sums[b, 1] += square
            for k in range(local):
                sums[b, 2] += (weight[r, k] * change[k]) ** 2
            x_own, t_own, w_own = own(runs[r], places, x, t, w)
            data = c[runs[r]], x_own, t_own, w_own
            _linearize(code, order, trial[r], *data, given, columns, ordered, there[r], rss[r : r + 1])
