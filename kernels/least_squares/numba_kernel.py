"""The same method in Numba: each fit alone, from start to end; see reference.py for what is computed."""

from math import inf, isfinite, nan, sqrt

import numpy as np

from ..common.numba_cache import cached
from .method import FAR, LEAST_REACH
from .numba_algebra import (
    attainable_reduction,
    damped_step,
    dot,
    exact,
    norm_of,
    shortened_step,
    whole,
)
from .numba_criteria import (
    EXHAUSTED,
    GRADIENT,
    NOT_FINITE,
    RUNNING,
    judge,
    largest_allowed,
    largest_cosine,
    rounding_of,
)
from .numba_linearize import evaluate, finish, most_samples, own, room_for


@exact
def scaled(damped, root, p, lower, upper, free, gradient, norm, movable, scale, weight):
    """Writes the gradient J^T e, which parameters are movable, the norms of their columns and the scaling D.

    D is `weight`, `scale` where that isn't 0. A damped step leaves a parameter where it is whose column is
    zeros: rounding over a tiny damping would move it. Returns |J^T e|.
    """
    size = p.size
    square = 0.0
    for k in range(size):
        gradient[k] = dot(root, k, size, 0, size)
        square += gradient[k] * gradient[k]
        at_bound = (p[k] <= lower[k] and gradient[k] > 0.0) or (p[k] >= upper[k] and gradient[k] < 0.0)
        movable[k] = free[k] and not at_bound
        norm[k] = sqrt(dot(root, k, k, 0, size)) if movable[k] else 0.0
        movable[k] = movable[k] and (norm[k] > 0.0 or not damped)
        scale[k] = max(scale[k], norm[k])
        weight[k] = scale[k] if scale[k] > 0.0 else 1.0
    return sqrt(square)


@exact
def projected_on_bounds(root, p, lower, upper, movable, step, trial):
    """trial = p + step within the bounds, and `step` to there -> the predicted reduction, and |A s|^2."""
    size = p.size
    for k in range(size):
        trial[k] = min(max(p[k] + step[k], lower[k]), upper[k]) if movable[k] else p[k]
        step[k] = trial[k] - p[k]
    predicted, square = 0.0, 0.0
    for i in range(size):
        change = 0.0
        for k in range(size):
            if movable[k]:
                change += root[k, i] * step[k]
        predicted -= change * (change + 2 * root[size, i])
        square += change * change
    return predicted, square


@exact
def new_radius(radius, predicted, actual, rss, slope, length, damping):
    """The trust radius after a step, by the ratio of actual to predicted reduction."""
    ratio = actual / predicted if predicted > 0.0 else 0.0
    if ratio > 0.25:
        return 2 * length if ratio >= 0.75 or damping == 0.0 else radius
    parabola = 0.5 if actual >= 0.0 else 0.5 * slope / (slope - 0.5 * actual)
    factor = parabola if parabola >= 0.1 and actual > -99 * rss else 0.1
    return factor * min(radius, 10 * length)


@exact
def memory_for(p, targets, most):
    """What `fit` computes in, for one fit after another of p [P] and up to `most` samples."""
    size = p.size
    return (
        room_for(p, targets, most),
        np.empty((size + 1, 2 * whole(size))),
        np.zeros((size + 1, whole(size))),
        np.zeros((size + 1, whole(size))),
        np.empty(1),
        np.empty((7, size)),
        np.empty(size, dtype=np.bool_),
        np.empty(size, dtype=np.bool_),
    )


@exact
def fit(code, memory, damped, p, state, scale, rule, lower, upper, free, c, x, t, w, count, history, path):
    """Makes up to `count` trial steps of one fit, as reference.iterate -> how many, and its Status.

    p, scale [P] and state (radius, damping; radius NaN before the first step) are changed in place;
    rule holds ftol, xtol, gtol, the first radius and |sqrt(w) t|. history [S, 3] gets |e|^2, |J^T e|
    and the damping of each trial, path [S, P] the parameters before it. `memory` is of memory_for.
    """
    columns, work, root, there, square_sum, spare, movable, significant = memory
    step, trial, gradient = spare[0], spare[1], spare[2]
    weight, diagonal, inner, norm = spare[3], spare[4], spare[5], spare[6]
    ftol, xtol, gtol, first, extent = rule

    filled = evaluate(code, p, c, x, t, w, columns, square_sum)
    rss = square_sum[0]
    if not (isfinite(rss) and finish(code, columns, filled, root)):
        return 0, NOT_FINITE
    for row in range(count):
        steepness = scaled(damped, root, p, lower, upper, free, gradient, norm, movable, scale, weight)
        if not state[0] >= 0.0:
            reach = max(norm_of(scale, p), LEAST_REACH * extent)
            state[0] = first * (reach if reach > 0.0 else 1.0) if damped else inf
        damping, singular = 0.0, False
        if damped:
            damping = damped_step(
                code,
                root,
                movable,
                weight,
                state[0],
                state[1],
                work,
                diagonal,
                step,
                inner,
                gradient,
            )
        else:
            singular = shortened_step(code, root, movable, weight, state[0], work, diagonal, step)
        predicted, square = projected_on_bounds(root, p, lower, upper, movable, step, trial)
        length = norm_of(weight, step)
        tolerance, rounding = ftol * rss, rounding_of(rss, extent)
        cosine = largest_cosine(p, gradient, norm, scale, rounding, significant)
        near, allowed = FAR * (tolerance + rounding), largest_allowed(rss, rounding, ftol, gtol)
        enough = min(near, allowed)

        filled = evaluate(code, trial, c, x, t, w, columns, square_sum)
        rss_there = square_sum[0]
        actual = rss - rss_there if isfinite(rss_there) else -inf
        flat = max(abs(actual), abs(predicted)) <= tolerance and actual <= 2 * predicted
        attainable = inf
        if flat:
            attainable = attainable_reduction(code, root, significant, norm, work, diagonal, inner, enough)
        if actual > 0.0 and not attainable <= enough and not finish(code, columns, filled, there):
            actual = -inf
        slope = square + damping * length * length
        radius = new_radius(state[0], predicted, actual, rss, slope, length, damping)
        short = min(radius, length) <= xtol * norm_of(scale, p)
        orthogonal = cosine <= gtol * sqrt(rss)
        improved = actual > 0.0
        rounded = not improved and abs(predicted) <= rounding
        if not flat and (orthogonal or rounded or short):
            attainable = attainable_reduction(code, root, significant, norm, work, diagonal, inner, enough)
        end = judge(
            orthogonal, flat, rounded, short, improved, actual > -inf, singular, attainable <= allowed,
            attainable > near, attainable <= FAR * rounding_of(rss, norm_of(norm, p)),
        )  # fmt: skip

        history[row, 0], history[row, 1], history[row, 2] = rss, steepness, damping
        for i in range(p.size):
            path[row, i] = p[i]
        state[0] = inf if not damped and improved else radius
        state[1] = damping
        if improved and end != GRADIENT:
            for i in range(p.size):
                p[i] = trial[i]
            rss = rss_there
            root, there = there, root
        if end != RUNNING:
            return row + 1, end
    return count, RUNNING


@cached
def advance(
    start, stop, code, damped, p, state, scale, rule, lower, upper, free, c, places, x, t, w, status,
    count, steps, history, path,
):  # fmt: skip
    """Makes up to S trial steps of fits start..stop-1, as `fit`.

    p, scale, lower, upper, free [R, P], state [R, 2], rule [R, 5], c [R, C], status, count, steps [R],
    places [R, 4], x [V, X], t [T, Y], w [W or 0] as in `own`, history [R, S, 3], path [R, S, P].
    """
    memory = memory_for(p[0], t.shape[0], most_samples(places))
    for r in range(start, stop):
        done = 0
        left = min(history.shape[1], steps[r] - count[r])
        if status[r] == RUNNING and left > 0:
            x_own, t_own, w_own = own(r, places, x, t, w)
            done, status[r] = fit(
                code, memory, damped, p[r], state[r], scale[r], rule[r], lower[r], upper[r], free[r],
                c[r], x_own, t_own, w_own, left, history[r], path[r],
            )  # fmt: skip
            count[r] += done
            if status[r] == RUNNING and count[r] == steps[r]:
                status[r] = EXHAUSTED
        history[r, done:] = nan
        path[r, done:] = nan


@cached
def solutions(start, stop, code, p, c, places, x, t, w, root, rss):
    """|e|^2 at p, rss [R], and the columns of A and c, root [R, P + 1, P], of fits start..stop-1."""
    columns = room_for(p[0], t.shape[0], most_samples(places))
    for r in range(start, stop):
        x_own, t_own, w_own = own(r, places, x, t, w)
        filled = evaluate(code, p[r], c[r], x_own, t_own, w_own, columns, rss[r : r + 1])
        if not finish(code, columns, filled, root[r]):
            rss[r], root[r] = inf, 0.0
