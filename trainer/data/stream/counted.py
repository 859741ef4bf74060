"""What one pass over a stream counts: its samples, their means and spreads, and which classes there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ....kernels.common.errors import UserError
from ....kernels.common.threads import share
from ..discretion import told
from ..table import WHOLE
from .recipe import STRIP, Recipe, labels_of
from .source import Source
from .stored import Piece

MOST_CLASSES = 10_000
MOST_NUMBERS = 1 << 22  # of a block that are counted at a time
ALIKE = 0.05  # of a column's spread, squared, that may lie between blocks


@dataclass(frozen=True)
class Counted:
    """Of K columns of `samples`: `mean`, the sum of squares about it, the `least` and the `most`, [K] each.

    `between` is the sum of squares of the blocks' means about the mean, each times its samples.
    """

    samples: int
    mean: np.ndarray
    squares: np.ndarray
    least: np.ndarray
    most: np.ndarray
    between: np.ndarray

    @property
    def std(self) -> np.ndarray:
        """The standard deviation [K]; 1 of a constant column, which becomes 0."""
        return np.where(self.most > self.least, np.sqrt(self.squares / self.samples), 1.0)

    def with_block(self, other: "Counted") -> "Counted":
        """Both together, by Chan, Golub and LeVeque (1979)."""
        samples = self.samples + other.samples
        shift = other.mean - self.mean
        apart = shift**2 * (self.samples * other.samples / samples)
        return Counted(
            samples,
            self.mean + shift * (other.samples / samples),
            self.squares + other.squares + apart,
            np.minimum(self.least, other.least),
            np.maximum(self.most, other.most),
            self.between + other.between + apart,
        )

    def unlike(self) -> np.ndarray:
        """The columns whose blocks are unlike one another: their places, the worst first."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.nan_to_num(self.between / self.squares)
        return np.array([k for k in np.argsort(-share) if share[k] > ALIKE], dtype=int)


def count(
    source: Source, recipe: Recipe, blocks: Sequence[range], others: Sequence[range]
) -> tuple[Counted, Recipe]:
    """What the samples in `blocks` of rows are like, and the recipe with the classes that there are.

    Raises UserError for what is no number, in `others` too, which aren't counted, and for too many classes.

    >>> import tempfile, torch
    >>> from packtrain.trainer.data.stream.counted import count
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/rows.npz", x=np.arange(4), y=np.ones(4))
    ...     source = Source(f"{folder}/rows.npz")
    ...     recipe = Recipe(("x",), ("y",), torch.float32)
    ...     count(source, recipe, [range(0, 2), range(2, 4)], [])[0].mean.tolist()
    [1.5, 1.0]
    """
    counted: Counted | None = None
    labels: list[np.ndarray] = []
    for place, pieces in enumerate(_ahead(source, recipe, [*blocks, *others])):
        for piece in pieces:
            _check_whole(recipe, piece)
            if recipe.labels is not None:
                labels = [
                    np.unique(np.concatenate([*labels, np.unique(labels_of(piece, recipe.targets[0]))]))
                ]
                _check_classes(recipe, labels[0])
        block = _of_block(recipe, pieces)
        if place < len(blocks):
            counted = counted.with_block(block) if counted else block
    assert counted is not None
    return counted, replace(recipe, labels=labels[0]) if labels else recipe


def _ahead(source: Source, recipe: Recipe, blocks: Sequence[range]) -> Iterator[list[Piece]]:
    """The pieces of each block, while the next one is being read."""

    def read(block: range) -> list[Piece]:
        return list(source.pieces(recipe.names, block.start, block.stop))

    coming = source.later(read, blocks[0])
    for block in [*blocks[1:], None]:
        pieces = coming.result()
        if block is not None:
            coming = source.later(read, block)
        yield pieces


def _of_block(recipe: Recipe, pieces: Sequence[Piece]) -> Counted:
    """Some columns at a time, which threads share. Raises UserError for what is no number."""
    samples, columns = sum(map(len, pieces)), recipe.numbers
    found = np.zeros((4, columns))
    together = max(1, MOST_NUMBERS // samples)
    for first in range(0, columns, together):
        some = range(first, min(first + together, columns))
        values = np.empty((len(some), samples))
        at = 0
        for piece in pieces:
            part = values[:, at : at + len(piece)]
            at += len(piece)
            cells = [_as_numbers(piece.columns[column]) for column in some]
            share(-(-len(piece) // STRIP), partial(_write, cells, part))
        share(len(some), partial(_count, recipe, pieces, values, found, first))
    mean, squares, least, most = found
    return Counted(samples, mean, squares, least, most, np.zeros(columns))


def _as_numbers(cells: np.ndarray) -> np.ndarray:
    """The cells, NaN for None."""
    if cells.dtype.kind != "O":
        return cells
    return np.array([np.nan if cell is None else float(cell) for cell in cells])


def _write(cells: Sequence[np.ndarray], values: np.ndarray, start: int, stop: int) -> None:
    """Writes strips start..stop-1 of the cells of each column into values [K, n]."""
    for first in range(start * STRIP, stop * STRIP, STRIP):
        for row, column in zip(values, cells, strict=True):
            row[first : first + STRIP] = column[first : first + STRIP]


def _count(
    recipe: Recipe,
    pieces: Sequence[Piece],
    values: np.ndarray,
    found: np.ndarray,
    first: int,
    start: int,
    stop: int,
) -> None:
    """Counts columns start..stop-1 of values [K, n], which it changes, into found [4, first + K]."""
    for place in range(start, stop):
        column, at = values[place], 0
        least, most = column.min(), column.max()
        if not np.isfinite([least, most]).all():
            for piece in pieces:
                recipe.check(piece, first + place, column[at : at + len(piece)])
                at += len(piece)
        mean = column.mean()
        column -= mean
        np.square(column, out=column)
        found[:, first + place] = mean, column.sum(), least, most


def _check_whole(recipe: Recipe, piece: Piece) -> None:
    """Raises UserError where float64 can't hold the integers of a column apart."""
    for name, column in zip(recipe.names[: recipe.numbers], piece.columns, strict=False):
        if column.dtype.kind in "iu" and max(-int(column.min()), int(column.max())) >= WHOLE:
            raise UserError(
                f"{piece.place.path}, column {name}: float64 has no room for such integers; subtract an "
                "offset from them in the file"
            )


def _check_classes(recipe: Recipe, labels: np.ndarray) -> None:
    if len(labels) > MOST_CLASSES:
        shown = told(f", such as {labels[0]}")
        raise UserError(
            f"column {recipe.targets[0]} has more than {MOST_CLASSES:,} different labels{shown}: is it a "
            "number? model.loss=mse"
        )
