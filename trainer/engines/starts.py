"""What the starts of one fit found (model.starts): its minima, and how many ended in each."""

import math

import torch

from ...kernels.least_squares import CONVERGED
from ...kernels.least_squares.method import ROUNDINGS
from ..config.pack import START
from .fit import EXACT, REACHED, Fits, Row

LISTED_MINIMA = 10


def starts_report(rows: list[Row], engine: Fits) -> Row | None:
    """What model.starts found: the minima by their loss, least first, and how many starts ended in each.

    >>> from packtrain.trainer.engines.starts import starts_report
    >>> starts_report([{"values": {"seed": 0}}], engine=None)  # of runs that are no starts, nothing
    """
    if START not in rows[0]["values"]:
        return None
    good = {status.name.lower() for status in CONVERGED}
    ended = [row for row in rows if row["fit"]["criterion"] in good]
    ended.sort(key=lambda row: row["fit"]["rss"])
    noise = torch.finfo(engine.model.parameters.dtype).eps * float(engine.rules.size.max())
    minima = _minima(ended, noise)
    return {
        "starts": len(rows),
        "converged": len(ended),
        "found": len(minima),
        "minima": minima[:LISTED_MINIMA],
        "lower": _lower(rows, ended),
    }


def _minima(ended: list[Row], noise: float) -> list[Row]:
    """The different minima of converged fits, sorted by their sums of squares, with the starts in each.

    A minimum is told by its run of the least loss, which rounding alone makes another than the others.
    """
    minima: list[Row] = []
    least = -math.inf  # of the minimum that was added last
    for row in ended:
        rss, loss = row["fit"]["rss"], row["loss"]["train"]["last"]
        rounding = ROUNDINGS * noise * math.sqrt(max(0, least)) + (EXACT * noise) ** 2
        if rss > least * (1 + REACHED) + rounding:
            least = rss
            minima.append({"loss": math.inf, "starts": 0})
        minima[-1]["starts"] += 1
        if loss < minima[-1]["loss"]:
            values = {name: parameter["value"] for name, parameter in row["parameters"].items()}
            minima[-1] |= {"loss": loss, "run": row["index"], "parameters": values}
    return minima


def _lower(rows: list[Row], ended: list[Row]) -> Row | None:
    """How many starts stand lower than the least minimum without having converged, and the lowest of them."""
    if not ended:
        return None
    edge = ended[0]["fit"]["rss"] * (1 - REACHED)
    lower = [row for row in rows if row not in ended and _rss(row) < edge]
    if not lower:
        return None
    lowest = min(lower, key=_rss)
    return {"starts": len(lower), "run": lowest["index"], "loss": lowest["loss"]["train"]["last"]}


def _rss(row: Row) -> float:
    rss = row["fit"]["rss"]
    return math.inf if rss is None or math.isnan(rss) else rss
