"""Files of rows, shuffled once on disk: so that an order by blocks is as good as any."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow
import torch
from pyarrow import parquet

from ....kernels.common.errors import UserError
from ....kernels.random import Purpose, permutation, uniform
from ..order import BLOCK, FEWEST
from .source import Source
from .stored import NUMBERS, WORDS


def shuffle(path: str, to: Path, seed: int = 0, together: int = FEWEST) -> int:
    """Writes the rows at `path` into the Parquet file `to`, in an order drawn by `seed` -> how many.

    They are dealt to heaps of about `together` rows on the disk, beside `to`, and each heap is shuffled in
    memory: every order is equally likely. Raises UserError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/rows.npz", x=np.arange(9), y=np.arange(9))
    ...     shuffle(f"{folder}/rows.npz", Path(folder, "shuffled.parquet"))
    9
    """
    if to.suffix != ".parquet":
        raise UserError(f"shuffled rows are written as Parquet: expected a name like rows.parquet, got {to}")
    if to.exists():
        raise UserError(f"{to} is there already: give another name")
    source = Source(path)
    names = [name for name in source.files[0].kinds if source.kind(name) in (NUMBERS, WORDS)]
    heaps = -(-source.rows // together)
    with TemporaryDirectory(dir=to.parent, prefix=".shuffling-") as folder:
        files = [Path(folder, f"{heap}.parquet") for heap in range(heaps)]
        _deal(source, names, files, seed)
        draft = Path(folder, "whole.parquet")
        _gather(files, draft, seed)
        source.check()
        draft.rename(to)
    return source.rows


def _deal(source: Source, names: Sequence[str], files: Sequence[Path], seed: int) -> None:
    """Writes each row into one of the files, drawn by its number."""
    key = torch.tensor(seed)
    with ExitStack() as stack:
        writers: dict[int, parquet.ParquetWriter] = {}
        for start in range(0, source.rows, BLOCK):
            stop = min(start + BLOCK, source.rows)
            drawn = uniform(key, Purpose.BLOCKS, start, stop, torch.float64).numpy()
            heaps, table = (drawn * len(files)).astype(np.int64), _table(source, names, start, stop)
            for heap in np.unique(heaps).tolist():
                if heap not in writers:
                    writers[heap] = stack.enter_context(parquet.ParquetWriter(files[heap], table.schema))
                writers[heap].write_table(table.filter(pyarrow.array(heaps == heap)))


def _table(source: Source, names: Sequence[str], start: int, stop: int) -> pyarrow.Table:
    pieces = list(source.pieces(names, start, stop))
    columns = zip(*(piece.columns for piece in pieces), strict=True)
    return pyarrow.table(
        {
            name: pyarrow.array(np.ascontiguousarray(np.concatenate(parts)))
            for name, parts in zip(names, columns, strict=True)
        }
    )


def _gather(files: Sequence[Path], to: Path, seed: int) -> None:
    """Writes the rows of one file after another, each file's in a drawn order."""
    with ExitStack() as stack:
        writer: parquet.ParquetWriter | None = None
        for heap, table in _heaps(files):
            count = len(table)
            places = torch.arange(heap * count, (heap + 1) * count)
            order = permutation(torch.tensor(seed), Purpose.WINDOWS, places, count)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(to, table.schema))
            writer.write_table(table.take(pyarrow.array(order.numpy())), row_group_size=BLOCK)


def _heaps(files: Sequence[Path]) -> Iterator[tuple[int, pyarrow.Table]]:
    for heap, file in enumerate(files):
        if file.exists():
            yield heap, parquet.read_table(file)
            file.unlink()
