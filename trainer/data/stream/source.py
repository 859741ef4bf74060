"""The files of a stream as one long table, read by a thread of its own."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from typing import Any

import numpy as np

from ....kernels.common.errors import UserError, choose
from ..order import BLOCK
from ..table import Table
from . import arrays, arrow
from .places import Place, places, readable
from .stored import NUMBERS, WORDS, Piece, Stored

READERS: dict[str, Callable[[Place], Stored]] = {**arrow.READERS, **arrays.READERS}


class Source:
    """Rows of several files after one another, of the same columns.

    One thread reads, in the order in which it is asked: `later` gives what it will have read. Raises
    UserError where a file can't be read, or has other columns than the first one.

    >>> import tempfile
    >>> import numpy as np
    >>> from packtrain.trainer.data.stream.source import Source
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.arange(6.0).reshape(3, 2))
    ...     np.save(f"{folder}/b.npy", np.arange(2.0).reshape(1, 2))
    ...     source = Source(f"{folder}/*.npy")
    ...     source.rows, [piece.columns[0].tolist() for piece in source.pieces(["x_1"], 1, 4)]
    (4, [[3.0, 5.0], [1.0]])
    """

    def __init__(self, path: str | None) -> None:
        self.path = str(path)
        self.files = [_opened(place) for place in places(path)]
        self.starts = list(accumulate((file.rows for file in self.files), initial=0))
        self.rows = self.starts[-1]
        for file in self.files[1:]:
            self._check_alike(self.files[0], file)
        if not self.rows:
            raise UserError(f"data.path={path} has no rows")
        self.thread = ThreadPoolExecutor(1, "packtrain-reading")

    def table(self) -> Table:
        """The columns of the first row, for finding names among them; those of no use are refused."""
        kinds = self.files[0].kinds
        first = {n: self.files[0].read([n], 0, 1)[0] for n, kind in kinds.items() if kind in (NUMBERS, WORDS)}
        refused = {n: kind for n, kind in kinds.items() if kind not in (NUMBERS, WORDS)}
        return Table(self.path, first, refused)

    def kind(self, name: str) -> str:
        """NUMBERS, WORDS, or why a column is of no use."""
        return self.files[0].kinds[name]

    def cuts(self, block: int | None) -> list[int]:
        """The sizes of the blocks of all rows: `block`, or as the files are cut, small cuts joined."""
        if block:
            whole, left = divmod(self.rows, block)
            return [block] * whole + ([left] if left else [])
        return [size for file in self.files for size in _joined(file.cuts or _even(file.rows))]

    def parts(self, start: int, stop: int) -> Iterator[tuple[Stored, int, int]]:
        """(file, its first row, and its end) of what rows start..stop-1 are in."""
        at = bisect_right(self.starts, start) - 1
        while start < stop:
            begin, end = self.starts[at], min(stop, self.starts[at + 1])
            if end > start:
                yield self.files[at], start - begin, end - begin
            start, at = end, at + 1

    def pieces(self, names: Sequence[str], start: int, stop: int) -> Iterator[Piece]:
        """The columns of rows start..stop-1, a piece of each file. Raises UserError for one that fails."""
        for file, first, end in self.parts(start, stop):
            with readable(file.place.path):
                yield Piece(file.place, first, file.read(names, first, end))

    def scattered(self, names: Sequence[str], rows: np.ndarray) -> Iterator[Piece]:
        """The columns of single rows, which ascend, a piece of each file. Raises UserError."""
        bounds = np.searchsorted(rows, self.starts)
        for file, start, low, high in zip(self.files, self.starts, bounds[:-1], bounds[1:], strict=False):
            if high > low:
                with readable(file.place.path):
                    yield Piece(file.place, 0, file.scattered(names, rows[low:high] - start))

    def check(self) -> None:
        """Raises UserError where a file isn't as it was."""
        for file in self.files:
            file.place.check()

    def identity(self) -> str:
        """What tells these files from others."""
        return " ".join(file.place.identity() for file in self.files)

    def later(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """What `work` makes of the arguments in the thread that reads, after what was asked for before."""
        return self.thread.submit(work, *arguments)

    def _check_alike(self, first: Stored, other: Stored) -> None:
        for one, two in ((first, other), (other, first)):
            for name, kind in one.kinds.items():
                if name not in two.kinds:
                    raise UserError(
                        f"{two.place.path} has no column {name}, and {one.place.path} has: the files of "
                        f"data.path={self.path} have the same columns"
                    )
                if two.kinds[name] != kind:
                    raise UserError(
                        f"column {name} holds {two.kinds[name]} in {two.place.path}, and {kind} in "
                        f"{one.place.path}: the files of data.path={self.path} have the same columns"
                    )


def _opened(place: Place) -> Stored:
    opens = choose(READERS, place.ending, f"the ending of what is streamed, {place.path}")
    with readable(place.path):
        return opens(place)


def _even(rows: int) -> list[int]:
    whole, left = divmod(rows, BLOCK)
    return [BLOCK] * whole + ([left] if left else [])


def _joined(cuts: Sequence[int]) -> Iterator[int]:
    """Neighbours together, as long as they are no larger than a block."""
    size = 0
    for cut in cuts:
        if size and size + cut > BLOCK:
            yield size
            size = 0
        size += cut
    if size:
        yield size
