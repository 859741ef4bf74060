"""Parquet, Arrow and Feather."""

from pathlib import Path

import pyarrow
import pyarrow.ipc
import pyarrow.parquet

from ..memory import available_memory, check_memory
from .content import Content, of_arrow_table

NUMBER = 8  # bytes: numbers become float64


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
    return of_arrow_table(pyarrow.parquet.read_table(file))


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
