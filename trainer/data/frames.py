"""Data as people hold them in Python -> a table, and results as a frame of the kind that came in."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...kernels.common.errors import UserError
from .files.content import flat
from .files.read import read
from .table import Table

SOURCE = "data"
EAGER = "pandas", "polars"  # whose frames results come as, where the data did
EXPECTED = (
    "data is a frame of pandas, Polars or PyArrow, a mapping of names to arrays, a structured array of "
    "NumPy, or the path of a file"
)


def table_of(data: Any) -> Table:
    """The columns of `data`, as a table: a frame, a mapping of names to arrays [N] or [N, K], or a path.

    Frames are read by Narwhals: of pandas, Polars, PyArrow and their kin. Columns of numbers aren't copied
    where their memory can be shared. Raises UserError for anything else.

    >>> from packtrain.trainer.data.frames import table_of
    >>> table_of({"t": [0, 1, 2], "x": [[1, 2], [3, 4], [5, 6]]}).names
    ['t', 'x_0', 'x_1']
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, (str, Path)):
        return read(str(data))
    if isinstance(data, Mapping):
        return flat((str(name), _array(str(name), column)) for name, column in data.items()).table(SOURCE)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return flat([(SOURCE, data)]).table(SOURCE)
    return flat(_of_frame(data)).table(SOURCE)


def frame_like(data: Any, columns: Any) -> Any:
    """`columns`, a mapping or a table of PyArrow, as a frame of the kind that `data` is.

    That is one of pandas or Polars; else a table of PyArrow.

    >>> from packtrain.trainer.data.frames import frame_like
    >>> frame_like({"t": [0, 1]}, {"a": [1.5, 2.5]}).column_names
    ['a']
    """
    import narwhals  # noqa: PLC0415 (as in _of_frame)
    import pyarrow  # noqa: PLC0415 (half a second, for those who look at a table)

    table = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(dict(columns))
    frame = narwhals.from_native(data, pass_through=True)
    is_frame = isinstance(frame, (narwhals.DataFrame, narwhals.LazyFrame))
    kind = str(frame.implementation.value) if is_frame else ""
    return narwhals.from_arrow(table, backend=kind).to_native() if kind in EAGER else table  # pyright: ignore[reportArgumentType]


def _array(name: str, column: Any) -> np.ndarray:
    """A column as NumPy has it; tensors come from their device."""
    if hasattr(column, "detach"):
        column = column.detach().cpu()
        return (column.double() if column.is_floating_point() else column).numpy()
    try:
        return np.asarray(column)
    except ValueError as error:
        raise UserError(f"{SOURCE}, {name}: expected as many numbers in each row ({error})") from None


def _of_frame(data: Any) -> Iterator[tuple[str, np.ndarray]]:
    """(name, column [N]) of a frame. Raises UserError where it is none, or can't be read."""
    import narwhals  # noqa: PLC0415 (only frames need it)
    from narwhals.exceptions import NarwhalsError  # noqa: PLC0415 (likewise)

    try:
        frame = narwhals.from_native(data)
        frame = frame.collect() if isinstance(frame, narwhals.LazyFrame) else frame
        for name in frame.columns:
            yield str(name).strip(), frame[name].to_numpy()
    except TypeError:
        raise UserError(f"{EXPECTED}; got {_described(data)}") from None
    except NarwhalsError as error:
        raise UserError(f"{SOURCE}: the frame can't be read: {str(error).splitlines()[0]}") from None


def _described(data: Any) -> str:
    shape = getattr(data, "shape", None)
    return type(data).__name__ + (f" of the shape {list(shape)}, without names" if shape is not None else "")
