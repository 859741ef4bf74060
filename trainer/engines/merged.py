"""What was made of some runs each, put together: histories, and columns of rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .base import History
from .rows import Correlation, Names, Pair, Row, Some

Part = tuple[np.ndarray, Any]  # runs [K], and their part of a column


def joined(histories: Sequence[History]) -> History:
    """The histories of a slice of steps of some runs each as one, in the order of the runs.

    Those whose runs all ended before the others' have no later steps: their losses there are NaN.

    >>> def history(run, steps):
    ...     return History(range(steps), torch.tensor([run]), torch.ones(steps, 1), torch.ones(steps, 1), {},
    ...                    torch.ones(steps, 1, 0), torch.ones(1), samples=5)
    >>> whole = joined([history(run=1, steps=2), history(run=0, steps=1)])
    >>> whole.runs.tolist(), whole.loss.tolist(), whole.samples
    ([0, 1], [[1.0, 1.0], [nan, 1.0]], 10)
    """
    if len(histories) == 1:
        return histories[0]
    longest = max(histories, key=lambda history: len(history.steps))
    runs = torch.cat([history.runs for history in histories])
    order = runs.argsort()

    def together(of: Callable[[History], Tensor]) -> Tensor:
        return torch.cat([_longer(of(history), len(longest.steps)) for history in histories], 1)[:, order]

    return History(
        longest.steps,
        runs[order],
        together(lambda history: history.loss),
        together(lambda history: history.gradient_norm),
        {name: together(lambda history, name=name: history.rates[name]) for name in longest.rates},
        together(lambda history: history.scalars),
        torch.cat([history.last for history in histories])[order],
        sum(history.samples for history in histories),
    )


def _longer(values: Tensor, steps: int) -> Tensor:
    """[S, K, ...] -> [steps, K, ...]: NaN where nothing was recorded."""
    if len(values) == steps:
        return values
    return torch.cat([values, values.new_full((steps - len(values), *values.shape[1:]), torch.nan)])


def merged(parts: Sequence[tuple[np.ndarray, Row]], runs: int) -> Row:
    """Columns of some runs each -> those of all, as Rows has them.

    >>> merged([(np.array([1]), {"rss": np.array([5.0])}), (np.array([0]), {"rss": np.array([3.0])})], 2)
    {'rss': array([3., 5.])}
    """
    return {name: _column([(own, part[name]) for own, part in parts], runs) for name in parts[0][1]}


def _column(parts: Sequence[Part], runs: int) -> Any:
    first = parts[0][1]
    if first is None:
        return None
    if isinstance(first, dict):
        return merged(parts, runs)
    if isinstance(first, np.ndarray):
        return _array(parts, runs)
    if isinstance(first, Pair):
        return Pair(*(_of(parts, name, runs) for name in ("low", "high")))
    if isinstance(first, Names):
        return Names(first.names, _of(parts, "mask", runs))
    if isinstance(first, Correlation):
        return Correlation(first.names, *(_of(parts, name, runs) for name in ("unscaled", "known")))
    if isinstance(first, Some):
        values = {int(own[run]): value for own, part in parts for run, value in part.values.items()}
        return Some(dict(sorted(values.items())), runs, first.missing)
    whole: list[Any] = [None] * runs
    for own, part in parts:
        for place, run in enumerate(own.tolist()):
            whole[run] = part[place]
    return whole


def _of(parts: Sequence[Part], name: str, runs: int) -> np.ndarray:
    return _array([(own, getattr(part, name)) for own, part in parts], runs)


def _array(parts: Sequence[Part], runs: int) -> np.ndarray:
    """Parts [K, ...] of an array as [R, ...], masked where they are."""
    first = parts[0][1]
    empty = np.ma.empty if any(np.ma.isMaskedArray(part) for _, part in parts) else np.empty
    whole = empty((runs, *first.shape[1:]), first.dtype)
    for own, part in parts:
        whole[own] = part
    return whole
