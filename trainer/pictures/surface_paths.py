"""The paths of runs over a surface: which of many are drawn, how they are called, and where they end."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from ..folder.digits import number

MOST_PATHS, MOST_POINTS = 24, 4000
NAMED = 6  # paths that have a name and a colour each
LONG = 34  # characters of a name


@dataclass(frozen=True)
class Path:
    """The way of one run: `points` [S, P] from its start to its last parameters, finite ones alone.

    `loss` is what it ended with; None of a run of no use, as one that diverged. Unless it is `whole`, it has
    nothing between its start and its end.
    """

    label: str
    points: np.ndarray
    loss: float | None = None
    whole: bool = True

    @property
    def start(self) -> np.ndarray:
        return self.points[0]

    @property
    def end(self) -> np.ndarray:
        return self.points[-1]


def path_of(label: str, points: np.ndarray, loss: float | None = None, whole: bool = True) -> Path | None:
    """The path over `points` [S, P], without those that aren't finite; of very many some, evenly.

    None where none is left.

    >>> path_of("gd", np.array([[1.0], [2.0], [np.nan]])).points.tolist()
    [[1.0], [2.0]]
    """
    finite = points[np.isfinite(points).all(1)]
    if not len(finite):
        return None
    known = loss is not None and math.isfinite(loss)
    return Path(label, finite[places(len(finite), MOST_POINTS)], loss if known else None, whole)


def places(count: int, most: int) -> np.ndarray:
    """0 .. count - 1, or `most` of them, evenly, with both ends.

    >>> places(5, 9).tolist(), places(9, 3).tolist()
    ([0, 1, 2, 3, 4], [0, 4, 8])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def evenly(ranked: Sequence[Any], most: int) -> list[Any]:
    """Of more than `most` things some, evenly, with both ends.

    >>> evenly("abcde", 3)
    ['a', 'c', 'e']
    """
    return [ranked[place] for place in places(len(ranked), most)]


def best_first(paths: Sequence[Path]) -> list[Path]:
    """The paths by what they ended with, those of no use last.

    >>> [path.loss for path in best_first([Path("", np.zeros((1, 1)), loss) for loss in (None, 2.0, 1.0)])]
    [1.0, 2.0, None]
    """
    return sorted(paths, key=lambda path: (path.loss is None, path.loss or 0.0))


def in_order(paths: Sequence[Path]) -> list[Path]:
    """The paths as they are drawn: a few in their own order, of many the best first.

    >>> [path.loss for path in in_order([Path(str(loss), np.zeros((1, 1)), loss) for loss in (3.0, 1.0)])]
    [3.0, 1.0]
    """
    return list(paths) if len(paths) <= NAMED else best_first(paths)


def label_of(values: Mapping[str, Any], index: int) -> str:
    """What a run is called: what differs between it and the others, in short; else its index.

    >>> label_of({"experiment": "descent/adam"}, 4), label_of({"optimizer.lr": 0.1, "seed": 3}, 7)
    ('adam', 'lr=0.1, seed=3')
    >>> label_of({}, 7)
    'run 7'
    """
    words = [_word(field, value) for field, value in values.items()]
    text = ", ".join(words)
    return (text if len(text) <= LONG else f"{text[: LONG - 3]}...") if words else f"run {index}"


def _word(field: str, value: Any) -> str:
    if isinstance(value, str) and "." not in field:  # the name of a file of conf/, which says it all
        return PurePath(value).name
    return f"{field.rpartition('.')[2]}={'null' if value is None else number(value)}"
