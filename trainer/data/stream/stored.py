"""What every kind of file is to a stream: named columns, of which rows can be read from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .places import Place

NUMBERS, WORDS = "numbers", "words"


class Stored(Protocol):
    """A file of `rows`, whose columns are by name of a kind: NUMBERS, WORDS, or why they are of no use.

    `cuts` are the sizes of the parts that it is read in, [] where any rows are read as well as others.
    """

    place: Place
    kinds: dict[str, str]
    rows: int
    cuts: list[int]

    def read(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """The columns of these names, [stop - start] each."""
        ...

    def into(self, names: Sequence[str], start: int, stop: int, rows: np.ndarray) -> bool:
        """Reads the columns of these names into `rows` [stop - start, K], where they lie so: False if not."""
        ...

    def expect(self, names: Sequence[str], start: int, stop: int) -> None:
        """Lets the system bring rows start..stop-1 from the disk meanwhile, where it knows how."""
        ...

    def lies_apart(self, names: Sequence[str]) -> bool:
        """Whether single rows of these columns are read without those beside them."""
        ...

    def scattered(self, names: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
        """The columns of these names in single `rows`, which ascend. Raises UserError where that is slow."""
        ...


@dataclass(frozen=True)
class Piece:
    """Columns of some rows of a file, of which `first` is the first, counted from 0."""

    place: Place
    first: int
    columns: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.columns[0])

    def where(self, row: int) -> str:
        """The file and the number of a row of the piece, for people."""
        return f"{self.place.path}, row {self.first + row + 1:,}"
