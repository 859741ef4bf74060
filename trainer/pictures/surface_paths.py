"""The paths of runs over a surface: which of many are drawn, how they are called, and where they end."""

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

    `loss` is what it ended with; None of a run of no use, as one that diverged.
    """

    label: str
    points: np.ndarray
    loss: float | None = None

    @property
    def start(self) -> np.ndarray:
        return self.points[0]

    @property
    def end(self) -> np.ndarray:
        return self.points[-1]


def path_of(label: str, points: np.ndarray, loss: float | None = None) -> Path | None:
    """The path over `points` [S, P], without those that aren't finite; of very many some, evenly.

    None where none is left.

    >>> path_of("gd", np.array([[1.0], [2.0], [np.nan]])).points.tolist()
    [[1.0], [2.0]]
    """
    finite = points[np.isfinite(points).all(1)]
    if not len(finite):
        return None
    places = np.unique(np.linspace(0, len(finite) - 1, min(len(finite), MOST_POINTS)).round().astype(int))
    return Path(label, finite[places], loss if loss is not None and np.isfinite(loss) else None)


def best_first(paths: Sequence[Path]) -> list[Path]:
    """The paths by what they ended with, those of no use last.

    >>> [path.label for path in best_first([Path("a", np.zeros((1, 1)), loss) for loss in (None, 2.0, 1.0)])]
    ['a', 'a', 'a']
    """
    return sorted(paths, key=lambda path: (path.loss is None, path.loss or 0.0))


def drawn_of(paths: Sequence[Path]) -> list[Path]:
    """The paths that are drawn: all, or of more than MOST_PATHS the best, and others evenly by rank.

    >>> paths = [Path(str(rank), np.zeros((1, 1)), float(rank)) for rank in range(300)]
    >>> drawn = drawn_of(paths)
    >>> len(drawn), drawn[0].label, drawn[-1].label
    (24, '0', '299')
    """
    ranked = best_first(paths)
    places = np.unique(np.linspace(0, len(ranked) - 1, min(len(ranked), MOST_PATHS)).round().astype(int))
    chosen = {id(ranked[place]) for place in places}
    named = len(paths) <= NAMED
    return [path for path in (paths if named else ranked) if id(path) in chosen]


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
