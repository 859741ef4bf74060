"""When a fit ends, in Numba, for one fit: see criteria.py for what is computed."""

from math import sqrt

import numpy as np

from .method import COARSE, FAR, NEGLIGIBLE, ROUNDINGS, SMALL, Status
from .numba_algebra import exact

EPS = float(np.finfo(np.float64).eps)
RUNNING, GRADIENT, COST, STEP, ROUNDING, NOT_FINITE, STUCK, SINGULAR, EXHAUSTED, HIDDEN, _ = map(int, Status)


@exact
def rounding_of(rss, size):
    """The rounding error of a sum of squares, where the outputs, or their terms, have norm `size`."""
    return EPS * (ROUNDINGS * sqrt(rss) * size + rss)


@exact
def largest_cosine(p, gradient, norm, scale, rounding, significant):
    """|e| times the largest cosine between e and a column of J that isn't negligible: is `significant`."""
    cosine = 0.0
    for k in range(p.size):
        negligible = norm[k] <= NEGLIGIBLE * scale[k] and abs(gradient[k] * p[k]) <= FAR * rounding
        significant[k] = norm[k] > 0.0 and not negligible
        if significant[k]:
            cosine = max(cosine, abs(gradient[k]) / norm[k])
    return cosine


@exact
def largest_allowed(rss, rounding, ftol, gtol):
    """The largest attainable reduction at what counts as a minimum."""
    offset = min(max(FAR * ftol, gtol * gtol, SMALL**2), COARSE**2)
    return max(FAR * rounding, offset * rss)


@exact
def judge(orthogonal, flat, rounded, short, improved, finite, singular, minimum, contradicted, hidden):
    """The Status by the first criterion that holds."""
    if orthogonal and minimum:
        return GRADIENT
    if singular:
        return SINGULAR
    if flat and minimum and not contradicted:
        return COST
    if rounded and minimum and not contradicted:
        return ROUNDING
    if short and minimum and (finite or not contradicted):
        return STEP
    if short and not improved:
        return HIDDEN if hidden and finite else STUCK
    return RUNNING
