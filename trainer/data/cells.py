"""Cells of a column: which are missing, and what they are as numbers, words or times."""

from typing import Any

import numpy as np
import pyarrow

# What stands for nothing in a column of numbers, as pandas and Arrow know it. In one of words they are words.
MISSING = (
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "null", "NULL", "None", "-", "--",
    "-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN",
)  # fmt: skip


def is_missing(column: np.ndarray, words: tuple[str, ...] = ("",)) -> np.ndarray:
    """Which cells are missing [N]: none, NaN, no time, or one of the `words`.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cells import MISSING, is_missing
    >>> column = np.array(["red", "", "NA"])
    >>> is_missing(column).tolist(), is_missing(column, MISSING).tolist()
    ([False, True, False], [False, True, True])
    """
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype.kind in "mM":
        return np.isnat(column)
    if column.dtype.kind in "OUSTV":
        return np.array([_is_nothing(cell, words) for cell in column], dtype=bool)
    return np.zeros(len(column), dtype=bool)


def _is_nothing(cell: Any, words: tuple[str, ...]) -> bool:
    if isinstance(cell, str):
        return cell.strip() in words
    return cell is None or (isinstance(cell, (float, np.floating)) and bool(np.isnan(cell)))


def floats(column: np.ndarray) -> np.ndarray:
    """Each cell as a float [N], NaN where it is none: of a column in float64 the column itself.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cells import floats
    >>> floats(np.array(["1.5", "red", None], dtype=object)).tolist()
    [1.5, nan, nan]
    """
    if column.dtype.kind in "fiub":
        return column.astype(np.float64, copy=False)
    return np.array([_float(cell) for cell in column], dtype=np.float64)


def are_words(column: np.ndarray) -> bool:
    """Whether there are cells, and none of them is a number.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cells import are_words
    >>> are_words(np.array(["red", ""])), are_words(np.array(["1", ""])), are_words(np.array([1, 2]))
    (True, False, False)
    """
    if column.dtype.kind in "fiubc":
        return False
    present = column[~is_missing(column, MISSING)]
    return len(present) > 0 and bool(np.isnan(floats(present)).all())


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def words(column: np.ndarray) -> np.ndarray:
    """Each cell as text [N], '' where it is missing; whole numbers without a point.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cells import words
    >>> words(np.array(["red", None, 2.0, 7], dtype=object)).tolist()
    ['red', '', '2', '7']
    """
    texts = np.array([_word(cell) for cell in column.tolist()], dtype=object)
    texts[is_missing(column)] = ""
    return texts


def _word(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def times(column: np.ndarray) -> np.ndarray | None:
    """The cells as datetime64 or timedelta64 [N], text in ISO 8601 too; None where one is no time.

    >>> import numpy as np
    >>> from packtrain.trainer.data.cells import times
    >>> times(np.array(["2024-01-31", ""])).astype("datetime64[D]").tolist()
    [datetime.date(2024, 1, 31), None]
    """
    if column.dtype.kind in "mM":
        return column
    if column.dtype.kind not in "OU":
        return None
    absent = is_missing(column, MISSING)
    cells = [None if gone else cell for gone, cell in zip(absent, column.tolist(), strict=True)]
    try:
        array = pyarrow.array(cells)
        is_text = pyarrow.types.is_string(array.type)
        return of_arrow(array.cast(pyarrow.timestamp("us")) if is_text else array)
    except (pyarrow.ArrowException, OverflowError):
        return None


def of_arrow(array: pyarrow.Array | pyarrow.ChunkedArray) -> np.ndarray | None:
    """Arrow's dates, timestamps, durations and times of day as NumPy's; None where they are none of these.

    >>> import pyarrow
    >>> from packtrain.trainer.data.cells import of_arrow
    >>> of_arrow(pyarrow.array([90], pyarrow.time32("s")))
    array([90], dtype='timedelta64[s]')
    """
    kind = array.type
    if pyarrow.types.is_time(kind):
        whole = pyarrow.int32() if pyarrow.types.is_time32(kind) else pyarrow.int64()
        array = array.cast(whole).cast(pyarrow.int64()).cast(pyarrow.duration(kind.unit))
    elif not pyarrow.types.is_temporal(kind):
        return None
    return array.to_numpy(zero_copy_only=False)
