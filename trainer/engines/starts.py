"""What the starts of one fit found (model.starts): its minima, and how many ended in each."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from ...kernels.least_squares import CONVERGED
from ...kernels.least_squares.method import ROUNDINGS
from ..config.pack import START
from .fit import Fits
from .notes import EXACT, REACHED
from .rows import Row, each, numbers

LISTED_MINIMA = 10


def starts_report(rows: Sequence[Row], engine: Fits) -> Row | None:
    """What model.starts found: the minima by their loss, least first, and how many starts ended in each.

    >>> from packtrain.trainer.engines.starts import starts_report
    >>> starts_report([{"values": {"seed": 0}}], engine=None)  # of runs that are no starts, nothing
    """
    if START not in rows[0]["values"]:
        return None
    good = {status.name.lower() for status in CONVERGED}
    converged = np.array([criterion in good for criterion in each(rows, "fit", "criterion")])
    rss, loss = numbers(rows, "fit", "rss"), numbers(rows, "loss", "train", "last")
    ended = np.flatnonzero(converged)
    ended = ended[np.argsort(rss[ended], kind="stable")]
    noise = torch.finfo(engine.model.parameters.dtype).eps * float(engine.rules.size.max())
    minima = _minima(rss[ended], noise)
    return {
        "starts": len(rows),
        "converged": len(ended),
        "found": len(minima),
        "minima": [_minimum(rows, loss, ended[part]) for part in minima[:LISTED_MINIMA]],
        "lower": _lower(rows, np.where(converged, math.nan, rss), rss[ended], loss),
    }


def _minima(rss: np.ndarray, noise: float) -> list[slice]:
    """The different minima of converged fits, sorted by their sums of squares: the fits in each."""
    first: list[int] = []
    least = -math.inf  # of the minimum that was added last
    for place, value in enumerate(rss.tolist()):
        rounding = ROUNDINGS * noise * math.sqrt(max(0, least)) + (EXACT * noise) ** 2
        if value > least * (1 + REACHED) + rounding:
            least = value
            first.append(place)
    return [slice(*bounds) for bounds in pairwise([*first, len(rss)])]


def _minimum(rows: Sequence[Row], loss: np.ndarray, runs: np.ndarray) -> Row:
    """A minimum is told by its run of the least loss, which rounding alone makes another than the others."""
    best = int(runs[np.argmin(loss[runs])])
    values = {name: parameter["value"] for name, parameter in rows[best]["parameters"].items()}
    return {"loss": float(loss[best]), "starts": len(runs), "run": rows[best]["index"], "parameters": values}


def _lower(rows: Sequence[Row], rss: np.ndarray, minima: np.ndarray, loss: np.ndarray) -> Row | None:
    """How many starts stand lower than the least of the `minima` without having converged, and the lowest.

    `rss` [R] is NaN of those that have.
    """
    lower = np.flatnonzero(rss < minima[0] * (1 - REACHED)) if len(minima) else ()
    if not len(lower):
        return None
    lowest = int(lower[np.argmin(rss[lower])])
    return {"starts": len(lower), "run": rows[lowest]["index"], "loss": float(loss[lowest])}
