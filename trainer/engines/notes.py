"""What a reader has to know about the numbers of fits, a sentence each."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from .rows import Row, Rows, Some
from .samples import Samples

REACHED = 1e-6  # relative difference of sums of squares within which two starts found the same minimum
UNLIKELY = 1e-3  # a p value: chance makes a chi-square as large only so seldom
EXACT = 400.0  # times the rounding of the targets: smaller residuals are rounding themselves


def notes_of(rows: Rows, converged: np.ndarray, samples: Samples, eps: float) -> Some:
    """The notes of all fits: what holds of one alone is looked for where there is something to say.

    `rows` have all of `fit` but these; `eps` is of the type of the parameters.

    >>> from packtrain.trainer.engines.rows import Names
    >>> none = Names([], np.zeros((1, 0), bool))
    >>> fit = {"rss": np.ones(1), "r_squared": np.ones(1), "degrees_of_freedom": np.ma.array([3])}
    >>> fit |= {"undetermined": none, "at_bound": none}
    >>> samples = Samples(np.array([5]), np.ones(1), np.ones(1), False, offset=str)
    >>> notes_of(Rows({"index": range(1), "fit": fit}), np.array([False]), samples, 1e-16)[0]
    ['the fit has not converged, so nothing is said of how uncertain its parameters are']
    """
    fit = rows.columns["fit"]
    usable = np.isfinite(fit["rss"])
    size = np.broadcast_to(samples.size, usable.shape)
    with np.errstate(invalid="ignore"):
        own = ~converged | fit["undetermined"].mask.any(1) | fit["at_bound"].mask.any(1)
        if samples.absolute:
            own |= fit["p_value"] < UNLIKELY
        else:
            own |= fit["degrees_of_freedom"].filled(0) <= 0
            own |= np.sqrt(fit["rss"]) <= EXACT * eps * size
        own |= fit["r_squared"] < -REACHED
    notes: dict[int, list[str]] = {run: [] for run in np.flatnonzero(~usable).tolist()}
    for run in np.flatnonzero(own & usable).tolist():
        exact = math.sqrt(fit["rss"][run]) <= EXACT * eps * size[run]
        about = rows[run]["fit"]
        offset = samples.offset(run) if about["undetermined"] else ""
        notes[run] = [*_notes(about, bool(converged[run]), exact, offset), *samples.notes]
    return Some(notes, len(rows), samples.notes)


def _notes(fit: Row, converged: bool, exact: bool, offset: str) -> Iterator[str]:
    """What a reader has to know about the numbers of one fit, a sentence each."""
    if not converged:
        yield "the fit has not converged, so nothing is said of how uncertain its parameters are"
    if fit["undetermined"]:
        determined = _listed([entry["combination"] for entry in fit["combinations"]])
        alone = _listed(fit["undetermined"])
        if determined:
            yield f"near this solution the data determine {determined}, but not {alone} by themselves"
        else:
            yield f"near this solution the data say nothing about {alone}"
        if offset:
            yield f"powers of an input far from 0 are much alike{offset}"
    if fit["at_bound"]:
        yield f"{_listed(fit['at_bound'])} ended at a bound and counts as fixed there"
    if "p_value" in fit:
        if (fit["p_value"] or 1.0) < UNLIKELY:
            yield "the residuals are larger than sigma says: the equations or the errors are wrong"
    elif fit["degrees_of_freedom"] <= 0:
        yield "there are no more samples than parameters, so nothing says how uncertain they are"
    elif exact:
        yield "the residuals are as small as rounding, and so standard errors are those of rounding"
    if (fit["r_squared"] or 0.0) < -REACHED:
        yield "R^2 is below 0: a constant would be closer to the data"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
