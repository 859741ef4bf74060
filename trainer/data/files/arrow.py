"""Parquet, Arrow and Feather."""

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

from ..memory import available_memory, check_memory
from .content import Content, by_name, column_of, of_arrow_table

NUMBER = 12  # bytes: numbers become float64, and then the model's beside them


def parquet_size(file: Path) -> int:
    """The least bytes of memory that the columns take, by what the file says of itself.

    >>> import tempfile
    >>> import pyarrow
    >>> from pyarrow import feather, parquet
    >>> from packtrain.trainer.data.files.arrow import parquet_size
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.parquet")
    ...     parquet.write_table(pyarrow.table({"t": [0, 1]}), file)
    ...     parquet_size(file) >= 16
    True
    """
    about = pyarrow.parquet.read_metadata(file)
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    return sum(NUMBER * group.num_rows * group.num_columns + group.total_byte_size for group in groups)


def read_parquet(file: Path) -> Content:
    """The columns of a Parquet file.

    >>> import tempfile
    >>> import pyarrow
    >>> from pyarrow import feather, parquet
    >>> from packtrain.trainer.data.files.arrow import read_parquet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.parquet")
    ...     parquet.write_table(pyarrow.table({"t": [0, 1]}), file)
    ...     read_parquet(file).columns["t"].tolist()
    [0, 1]
    """
    with pyarrow.parquet.ParquetFile(file) as opened:
        names = opened.schema_arrow.names
        if len({*names}) < len(names) or len(opened.schema) != len(names):  # names of two, or nested ones
            return of_arrow_table(opened.read())
        return by_name((name.strip(), _column(opened, name)) for name in names)


def _column(opened: pyarrow.parquet.ParquetFile, name: str) -> np.ndarray:
    """One column, in memory of its own: what it was read into is given back before the next one is read."""
    groups = range(opened.num_row_groups)
    parts = [column_of(opened.read_row_group(group, [name]).column(0)) for group in groups]
    same = len({part.dtype for part in parts}) == 1
    return np.concatenate(parts) if same else column_of(opened.read([name]).column(0))


def read_arrow(file: Path) -> Content:
    """The columns of Arrow's own format, a file or a stream, packed or not; Feather is the same.

    Raises UserError where it unpacks to more than the memory.

    >>> import tempfile
    >>> import pyarrow
    >>> from pyarrow import feather, parquet
    >>> from packtrain.trainer.data.files.arrow import read_arrow
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.feather")
    ...     feather.write_feather(pyarrow.table({"t": [0, 1]}), file)
    ...     read_arrow(file).columns["t"].tolist()
    [0, 1]
    """
    with pyarrow.memory_map(str(file)) as source:
        try:
            opened = pyarrow.ipc.open_file(source)
            batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
        except pyarrow.ArrowInvalid:
            source.seek(0)
            opened = pyarrow.ipc.open_stream(source)
            batches = iter(opened)
        kept = []
        for batch in batches:
            check_memory(batch.nbytes, available_memory(), str(file), "take fewer rows or columns")
            kept.append(batch)
        return of_arrow_table(pyarrow.Table.from_batches(kept, opened.schema))
