"""How the columns of a stream become samples: which they are, their classes and their scales."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....kernels.common.errors import UserError
from ..cells import is_missing
from ..discretion import quoted
from .room import Room
from .stored import Piece

STRIP = 1024  # rows that are written at a time, a column after another: as many as the cache has room for


@dataclass(frozen=True)
class Recipe:
    """Columns of `inputs` and of `targets`; `labels` are the sorted classes of the one target, if it has any.

    `mean` and `std` are those of inputs, and after them of targets, in float64; None: they stay as they are.
    `wanted` says of which, inputs or targets, and `called` how inputs and targets are called.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    dtype: torch.dtype
    labels: np.ndarray | None = None
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    wanted: tuple[str, ...] = ()
    called: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def names(self) -> tuple[str, ...]:
        """All columns: inputs, then targets."""
        return (*self.inputs, *self.targets)

    @property
    def target_dtype(self) -> torch.dtype:
        """Of class indices int64, else that of the inputs."""
        return self.dtype if self.labels is None else torch.int64

    def scales(self, what: str, device: torch.device) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Mean and standard deviation of inputs or targets; (None, None) where they stay as they are."""
        if what not in self.wanted or self.mean is None or self.std is None:
            return None, None
        columns = slice(0, len(self.inputs)) if what == "inputs" else slice(len(self.inputs), None)
        mean, std = (torch.from_numpy(scale[columns]).to(device) for scale in (self.mean, self.std))
        return mean, std

    @property
    def plain(self) -> bool:
        """Whether samples are the columns as they stand, but for their type."""
        return self.labels is None and self.mean is None

    def room(self, samples: int, **options: Any) -> Room:
        """Room for so many samples."""
        columns, dtypes = (len(self.inputs), len(self.targets)), (self.dtype, self.target_dtype)
        return Room.of(samples, *columns, *dtypes, **options)

    def write(self, piece: Piece, room: Room) -> None:
        """Writes the samples of a piece into room on the CPU."""
        columns, rows = piece.columns, [*room.inputs.numpy().T, *room.targets.numpy().T]
        if self.labels is not None:
            columns = [*columns[:-1], self.classes(piece)]
        if self.mean is not None and self.std is not None:
            scales = zip(columns, self.mean, self.std, strict=False)
            scaled = [
                column if (mean, std) == (0, 1) else (column.astype(np.float64) - mean) / std
                for column, mean, std in scales
            ]
            columns = [*scaled, *columns[len(scaled) :]]
        for start in range(0, len(piece), STRIP):
            for column, row in zip(columns, rows, strict=True):
                row[start : start + STRIP] = column[start : start + STRIP]

    def classes(self, piece: Piece) -> np.ndarray:
        """The class of each row of a piece. Raises UserError for a label that wasn't there before."""
        assert self.labels is not None
        cells = labels_of(piece, self.targets[0])
        index = np.searchsorted(self.labels, cells).clip(max=len(self.labels) - 1)
        for row in np.flatnonzero(self.labels[index] != cells)[:1]:
            raise UserError(
                f"{piece.where(row)}, column {self.targets[0]}: the label {quoted(cells[row])} was not there "
                "when the training began"
            )
        return index

    @property
    def numbers(self) -> int:
        """How many of the columns are numbers: all, or all but the labels."""
        return len(self.names) - (self.labels is not None)

    def check(self, piece: Piece, column: int, values: np.ndarray) -> None:
        """Raises UserError, with its row, for what is no number in the `values` [n] of a piece's column."""
        for row in np.flatnonzero(~np.isfinite(values))[:1]:
            got = "nothing" if np.isnan(values[row]) else quoted(values[row], f"{values[row]:g}")
            raise UserError(
                f"{piece.where(row)}, column {self.names[column]}: expected a finite number, got {got}; "
                "data=stream leaves no rows out: write the files without it, or data=file data.missing=drop"
            )


def labels_of(piece: Piece, name: str) -> np.ndarray:
    """The labels in the last column of a piece, words as text. Raises UserError where there is none.

    >>> import numpy as np
    >>> from packtrain.trainer.data.stream.recipe import labels_of
    >>> from packtrain.trainer.data.stream.stored import Piece
    >>> labels_of(Piece(None, 0, [np.array(["b", "a"], dtype=object)]), "kind").tolist()
    ['b', 'a']
    """
    column = piece.columns[-1]
    for row in np.flatnonzero(is_missing(column))[:1]:
        raise UserError(f"{piece.where(row)}, column {name}: expected a class label, got nothing")
    return column.astype(str) if column.dtype == object else column
