"""What a file holds: columns by name, those that can't be used, and sentences on how it was read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from unicodedata import normalize

import numpy as np
import pyarrow

from ..cells import of_arrow
from ..table import Table


@dataclass(frozen=True)
class Content:
    """Columns by name, name -> why a column can't be used, and `notes`, sentences for people.

    `arrays` are what the columns were made of, where they were flattened.
    """

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def table(self, source: str) -> Table:
        """The table of these columns, which come from `source`. Raises UserError where none has a row."""
        return Table(source, self.columns, self.refused, notes=self.notes, arrays=self.arrays)


def by_name(columns: Iterable[tuple[str, np.ndarray | str]], notes: Iterable[str] = ()) -> Content:
    """The columns by name, and those refused: names that two have, and columns that are a reason.

    >>> import numpy as np
    >>> from packtrain.trainer.data.files.content import by_name
    >>> by_name([("x", np.zeros(2)), ("y", "it is no array")]).refused
    {'y': 'it is no array'}
    """
    usable: dict[str, np.ndarray] = {}
    refused: dict[str, str] = {}
    for name, column in columns:
        name = normalize("NFC", name)
        if name in usable:
            refused[name] = f"two columns are called {name}"
        if isinstance(column, str):
            refused[name] = column
        else:
            usable[name] = column
    return Content(usable, refused, tuple(notes))


def flat(arrays: Iterable[tuple[str, np.ndarray | str]]) -> Content:
    """x [N] stays a column; x [N, K] becomes the columns x_0 ... x_K-1, and [N, J, K] x_0 ... x_JK-1.

    The fields of a structured array are columns of their own.

    >>> import numpy as np
    >>> from packtrain.trainer.data.files.content import flat
    >>> content = flat([("x", np.zeros((3, 2, 2)))])
    >>> list(content.columns), content.notes
    (['x_0', 'x_1', 'x_2', 'x_3'], ('x [3, 2, 2] became the columns x_0 ... x_3',))
    """
    arrays = [pair for name, array in arrays for pair in _fields(name, array)]
    content = by_name((pair for name, array in arrays for pair in _columns(name, array)), _flattened(arrays))
    return replace(content, arrays={n: array for n, array in arrays if not isinstance(array, str)})


def _fields(name: str, array: np.ndarray | str) -> Iterator[tuple[str, np.ndarray | str]]:
    if isinstance(array, str) or array.dtype.names is None:
        yield name, array
    else:
        yield from ((str(own), array[own]) for own in array.dtype.names)


def _columns(name: str, array: np.ndarray | str) -> Iterator[tuple[str, np.ndarray | str]]:
    if isinstance(array, str) or array.ndim == 1:
        yield name, array
    elif array.ndim == 0:
        yield name, f"the array {name} has the shape of one number: expected N or NxK"
    else:
        rows = array.reshape(len(array), int(np.prod(array.shape[1:])))
        yield from ((f"{name}_{i}", rows[:, i]) for i in range(rows.shape[1]))


def _flattened(arrays: Iterable[tuple[str, np.ndarray | str]]) -> list[str]:
    return [
        f"{name} {list(array.shape)} became the columns {name}_0 ... {name}_{array[0].size - 1}"
        for name, array in arrays
        if not isinstance(array, str) and array.ndim > 2 and array.size
    ]


def of_arrow_table(table: pyarrow.Table, notes: Iterable[str] = ()) -> Content:
    """The columns of Arrow's table, None or NaT where a cell is empty.

    >>> import pyarrow
    >>> from packtrain.trainer.data.files.content import of_arrow_table
    >>> of_arrow_table(pyarrow.table({"x": [1, None]})).columns["x"].tolist()
    [1, None]
    """
    names = [name.strip() for name in table.column_names]
    return by_name(zip(names, map(column_of, table.columns), strict=True), notes)


def column_of(column: pyarrow.ChunkedArray) -> np.ndarray:
    """The cells, None or NaT where one is empty.

    >>> import pyarrow
    >>> from packtrain.trainer.data.files.content import column_of
    >>> column_of(pyarrow.chunked_array([[1, None]])).tolist()
    [1, None]
    """
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    times = of_arrow(column)
    if times is not None:
        return times
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    cells = np.empty(len(column), dtype=object)
    cells[:] = column.to_pylist()
    return cells
