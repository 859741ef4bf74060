"""The same method in Numba: each fit alone, from start to end; see reference.py for what is computed."""

from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from .method import COARSE, FADED, FAR, LEAST_REACH, ROUNDINGS, SMALL, Status
from .numba_algebra import dot, exact, made_for, make_steps, norm_of, triangularize

__all__ = ["EXHAUSTED", "RUNNING", "make_fit", "room_for", "triangularize"]

BLOCK = 1024  # rows of [J | e] that are triangularized at a time
EPS = float(np.finfo(np.float64).eps)
RUNNING, GRADIENT, COST, STEP, ROUNDING, NOT_FINITE, STUCK, SINGULAR, EXHAUSTED, HIDDEN, _ = map(int, Status)


@exact
def look(root, p, lower, upper, moves, slope, norm, free, scale, weight):
    """slope J^T e, who is free, the norms of their columns, scale and weight -> |J^T e|."""
    size = p.size
    gradient = 0.0
    for k in range(size):
        slope[k] = dot(root, k, size, 0, size)
        gradient += slope[k] * slope[k]
        held = (p[k] <= lower[k] and slope[k] > 0.0) or (p[k] >= upper[k] and slope[k] < 0.0)
        free[k] = moves[k] and not held
        norm[k] = sqrt(dot(root, k, k, 0, size)) if free[k] else 0.0
        scale[k] = max(scale[k], norm[k])
        weight[k] = scale[k] if scale[k] > 0.0 else 1.0
    return sqrt(gradient)


@exact
def rounding_of(rss, size):
    """How finely a sum of squares is known, of residuals of outputs of norm `size`."""
    return EPS * (ROUNDINGS * sqrt(rss) * size + rss)


@exact
def largest_cosine(p, slope, norm, scale, rounding, live):
    """|e| times the largest cosine between e and a column of J that has not vanished: those are `live`."""
    cosine = 0.0
    for k in range(p.size):
        vanished = norm[k] <= FADED * scale[k] and abs(slope[k] * p[k]) <= FAR * rounding
        live[k] = norm[k] > 0.0 and not vanished
        if live[k]:
            cosine = max(cosine, abs(slope[k]) / norm[k])
    return cosine


@exact
def aim(root, p, lower, upper, free, step, trial):
    """trial = p + step within the bounds, `step` cut accordingly -> the fall it promises, |A s|^2."""
    size = p.size
    for k in range(size):
        trial[k] = min(max(p[k] + step[k], lower[k]), upper[k]) if free[k] else p[k]
        step[k] = trial[k] - p[k]
    predicted, square = 0.0, 0.0
    for i in range(size):
        change = 0.0
        for k in range(size):
            if free[k]:
                change += root[k, i] * step[k]
        predicted -= change * (change + 2 * root[size, i])
        square += change * change
    return predicted, square


@exact
def new_radius(radius, predicted, gained, rss, slack, length, damping):
    """A quarter or less of what was promised: shrink, to the minimum of a parabola; most of it: grow."""
    ratio = gained / predicted if predicted > 0.0 else 0.0
    if ratio > 0.25:
        return 2 * length if ratio >= 0.75 or damping == 0.0 else radius
    parabola = 0.5 if gained >= 0.0 else 0.5 * slack / (slack - 0.5 * gained)
    factor = parabola if parabola >= 0.1 and gained > -99 * rss else 0.1
    return factor * min(radius, 10 * length)


@exact
def limit_of(rss, rounding, ftol, gtol):
    """What the linear model may promise at a minimum: next to nothing, or as much as loose tolerances say."""
    small = min(max(FAR * ftol, gtol * gtol, SMALL**2), COARSE**2)
    return max(FAR * rounding, small * rss)


@exact
def judge(is_orthogonal, is_cost, is_rounding, short, refused, finite, singular, minimum, far, hidden):
    """The Status by the first criterion that holds; see reference.py."""
    if is_orthogonal and minimum:
        return GRADIENT
    if singular:
        return SINGULAR
    if is_cost and minimum and not far:
        return COST
    if is_rounding and minimum and not far:
        return ROUNDING
    if short and minimum and (finite or not far):
        return STEP
    if short and refused:
        return HIDDEN if hidden and finite else STUCK
    return RUNNING


@exact
def room_for(p, t):
    """The `columns` of `evaluate`: a triangle, and under it a block of rows."""
    return np.empty((p.size + 1, p.size + min(t.size, max(BLOCK, t.shape[1]))))


def make_linearize(rows: Any, triangularize: Any) -> Any:
    """`evaluate` and `finish` of a graph, whose compiled `rows` fills rows of [J | e].

    Blocks of rows are triangularized one after another under the triangle of those before, so that
    the condition number is never squared and memory is bounded. The last block waits for `finish`,
    since a fit that ends with this evaluation needs no triangle.
    """
    made = made_for(rows)

    @made
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

    @made
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
    """A graph's `evaluate`, `finish` and `fit`; made here, unlike functions passed along, can be kept."""
    made = made_for(rows)
    evaluate, finish = make_linearize(rows, triangularize)
    damped_step, shortened_step, promised = make_steps(triangularize)

    @made
    def fit(damped, p, state, scale, rule, lower, upper, moves, x, t, w, count, history, path):
        """Up to `count` trial steps of one fit, as reference.iterate makes them -> how many, and its Status.

        p, scale [P] and state (radius, damping; radius NaN before the first step) are changed in place;
        rule holds ftol, xtol, gtol, the first radius and |sqrt(w) t|. history [S, 3] gets |e|^2, |J^T e|
        and the damping of each trial, path [S, P] the parameters before it.
        """
        size = p.size
        columns = room_for(p, t)
        work = np.empty((size + 1, 2 * size))
        root = np.empty((size + 1, size))
        there = np.empty((size + 1, size))
        spare = np.empty((7, size))  # not unpacked in one line: Numba frees such views too early
        step, trial, slope = spare[0], spare[1], spare[2]
        weight, diagonal, inner, norm = spare[3], spare[4], spare[5], spare[6]
        free = np.empty(size, dtype=np.bool_)
        live = np.empty(size, dtype=np.bool_)
        ftol, xtol, gtol, first, extent = rule

        rss, filled = evaluate(p, x, t, w, columns)
        if not (isfinite(rss) and finish(columns, filled, root)):
            return 0, NOT_FINITE
        for taken in range(count):
            gradient = look(root, p, lower, upper, moves, slope, norm, free, scale, weight)
            if not state[0] >= 0.0:
                reach = max(norm_of(scale, p), LEAST_REACH * extent)
                state[0] = first * (reach if reach > 0.0 else 1.0) if damped else inf
            damping, singular = 0.0, False
            if damped:
                damping = damped_step(
                    root, free, weight, state[0], state[1], work, diagonal, step, inner, slope
                )
            else:
                singular = shortened_step(root, free, weight, state[0], work, diagonal, step)
            predicted, square = aim(root, p, lower, upper, free, step, trial)
            length = norm_of(weight, step)
            least, rounding = ftol * rss, rounding_of(rss, extent)
            cosine = largest_cosine(p, slope, norm, scale, rounding, live)
            near, limit = FAR * (least + rounding), limit_of(rss, rounding, ftol, gtol)
            enough = min(near, limit)

            rss_there, filled = evaluate(trial, x, t, w, columns)
            gained = rss - rss_there if isfinite(rss_there) else -inf
            is_cost = max(abs(gained), abs(predicted)) <= least and gained <= 2 * predicted
            promise = inf
            if is_cost:
                promise = promised(root, live, norm, work, diagonal, inner, enough)
            if gained > 0.0 and not promise <= enough and not finish(columns, filled, there):
                gained = -inf
            slack = square + damping * length * length
            radius = new_radius(state[0], predicted, gained, rss, slack, length, damping)
            short = min(radius, length) <= xtol * norm_of(scale, p)
            is_orthogonal = cosine <= gtol * sqrt(rss)
            refused = not gained > 0.0
            is_rounding = refused and abs(predicted) <= rounding
            if not is_cost and (is_orthogonal or is_rounding or short):
                promise = promised(root, live, norm, work, diagonal, inner, enough)
            end = judge(
                is_orthogonal, is_cost, is_rounding, short, refused, gained > -inf, singular,
                promise <= limit, promise > near, promise <= FAR * rounding_of(rss, norm_of(norm, p)),
            )  # fmt: skip

            history[taken, 0], history[taken, 1], history[taken, 2] = rss, gradient, damping
            for i in range(p.size):
                path[taken, i] = p[i]
            state[0] = inf if not damped and gained > 0.0 else radius
            state[1] = damping
            if gained > 0.0 and end != GRADIENT:
                for i in range(p.size):
                    p[i] = trial[i]
                rss = rss_there
                root, there = there, root
            if end != RUNNING:
                return taken + 1, end
        return count, RUNNING

    return evaluate, finish, fit
