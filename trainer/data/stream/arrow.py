"""Rows of Parquet files, by row groups, and of Arrow's and Feather's, by record batches."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from unicodedata import normalize

import numpy as np
import pyarrow
from pyarrow import ipc, parquet, types

from ....kernels.common.errors import UserError
from .places import Place
from .stored import NUMBERS, WORDS


class ArrowRows:
    """What Parquet's row groups and Arrow's batches have in common; see Stored."""

    def __init__(self, place: Place, schema: pyarrow.Schema, cuts: Sequence[int]) -> None:
        self.place, self.cuts = place, [size for size in cuts if size]
        self.schema, self.kinds = schema, {}
        self.own: dict[str, str] = {}  # name -> what the file calls it
        self.groups = [group for group, size in enumerate(cuts) if size]
        self.starts = list(accumulate(self.cuts, initial=0))
        self.rows = self.starts[-1]
        for field in schema:
            name = normalize("NFC", field.name.strip())
            self.kinds[name] = f"two columns are called {name}" if name in self.own else _kind(field.type)
            self.own[name] = field.name

    def read(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, stop - 1) - 1
        own = [self.own[name] for name in names]
        tables = [self.group(self.groups[part], own) for part in range(first, last + 1)]
        table = tables[0] if len(tables) == 1 else pyarrow.concat_tables(tables)
        table = table.slice(start - self.starts[first], stop - start)
        return [_cells(table.column(name)) for name in own]

    def into(self, names: Sequence[str], start: int, stop: int, rows: np.ndarray) -> bool:
        return False

    def expect(self, names: Sequence[str], start: int, stop: int) -> None:
        """Nothing: decoding takes longer than a disk."""

    def lies_apart(self, names: Sequence[str]) -> bool:
        return False

    def scattered(self, names: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
        raise UserError(
            f"data.shuffle=full reads single rows, and {self.place.path} is read by groups of them: "
            "data.shuffle=blocks, or shuffle it once on disk (packtrain shuffle)"
        )

    def group(self, number: int, names: Sequence[str]) -> pyarrow.Table:
        """The columns of one row group, or batch."""
        raise NotImplementedError


class ParquetRows(ArrowRows):
    """A Parquet file; see Stored."""

    def __init__(self, place: Place) -> None:
        self.file = parquet.ParquetFile(place.open())
        about = self.file.metadata
        cuts = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
        super().__init__(place, self.file.schema_arrow, cuts)

    def group(self, number: int, names: Sequence[str]) -> pyarrow.Table:
        return self.file.read_row_group(number, columns=list(names))


class BatchRows(ArrowRows):
    """An Arrow or Feather file; see Stored. Raises UserError for a stream of Arrow's, which has no index."""

    def __init__(self, place: Place) -> None:
        self.source = place.open()
        try:
            opened = ipc.open_file(self.source)
        except pyarrow.ArrowInvalid:
            raise UserError(
                f"{place.path} can't be streamed: expected an Arrow file with an index, as "
                "pyarrow.ipc.new_file or pyarrow.feather.write_feather make it, and this is none"
            ) from None
        sizer = self._opened(opened.schema, opened.schema.names[:1])
        cuts = [sizer.get_batch(batch).num_rows for batch in range(sizer.num_record_batches)]
        super().__init__(place, opened.schema, cuts)

    def _opened(self, schema: pyarrow.Schema, names: Sequence[str]) -> ipc.RecordBatchFileReader:
        fields = [schema.get_field_index(name) for name in names]
        return ipc.open_file(self.source, options=ipc.IpcReadOptions(included_fields=fields))

    def group(self, number: int, names: Sequence[str]) -> pyarrow.Table:
        return pyarrow.Table.from_batches([self._opened(self.schema, names).get_batch(number)])


def _kind(kind: pyarrow.DataType) -> str:
    if types.is_dictionary(kind):
        kind = kind.value_type
        return (
            WORDS
            if types.is_string(kind) or types.is_large_string(kind)
            else f"it holds {kind} in a dictionary"
        )
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return NUMBERS
    if types.is_string(kind) or types.is_large_string(kind):
        return WORDS
    return f"it holds {kind}"


def _cells(column: pyarrow.ChunkedArray) -> np.ndarray:
    """NaN of numbers, None of words and truths, where there is none."""
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_integer(column.type) and column.null_count:
        column = column.cast(pyarrow.float64(), safe=False)
    return column.to_numpy(zero_copy_only=False)


READERS: dict[str, Callable[[Place], ArrowRows]] = {
    ".parquet": ParquetRows,
    ".arrow": BatchRows,
    ".feather": BatchRows,
}
