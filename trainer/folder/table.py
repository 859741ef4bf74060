"""The table of all runs, a line each: runs.csv and runs.parquet."""
# pyarrow makes its functions at run time:
# pyright: reportAttributeAccessIssue=false

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from ..engines.rows import Rows
from .atomic import replace
from .ranking import flat
from .settings import Setting

SETTINGS = "settings.csv"
LINES = 1 << 14  # of a CSV that are made at a time
WHOLE = r"^(-?[0-9]+)$"  # a float that pyarrow writes as an integer, so that it would be read as one
SPECIAL = r'[",\r\n]'  # characters for which a text stands in quotes


def table_of(rows: Rows) -> pa.Table:
    """The columns of runs.csv: numbers that aren't finite are null, as is what a run hasn't.

    >>> from packtrain.trainer.folder.table import table_of
    >>> loss = {"train": {"first": [4.0, 9.0], "last": [1.0, float("nan")]}, "validation": None}
    >>> columns = {"index": range(2), "values": {"seed": [7, 8]}, "outcome": ["finished", "diverged"]}
    >>> columns |= {"message": ["", ""], "steps": [9, 2], "loss": loss, "metrics": {}, "parameters": {}}
    >>> table_of(Rows(columns))["loss.train.last"].to_pylist()
    [1.0, None]
    """
    return pa.table({name: _column(column, len(rows)) for name, column in flat(rows.columns).items()})


def write_csv(file: Path | BinaryIO, table: pa.Table) -> None:
    """Writes a table as the csv module does; of floats the shortest text that gives them back, bit for bit.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "runs.csv")
    ...     write_csv(file, pa.table({"a": [1.0, None], "b": ["one, two", "three"]}))
    ...     file.read_text().splitlines()
    ['a,b', '1.0,"one, two"', ',three']
    """
    head = io.StringIO()
    csv.writer(head).writerow(table.column_names)
    with file.open("wb") if isinstance(file, Path) else nullcontext(file) as out:
        out.write(head.getvalue().encode())
        for some in table.combine_chunks().to_batches(LINES):
            lines = compute.binary_join_element_wise(
                *_texts(some.columns), ",", null_handling="replace", null_replacement=""
            )
            out.writelines(f"{line}\r\n".encode() for line in lines.to_pylist())


def settings_table(settings: Sequence[Setting]) -> pa.Table:
    """The columns of settings.csv, a row a setting: what varies but for seeds, and what its runs came to.

    >>> from packtrain.trainer.folder.objective import Objective
    >>> loss = Objective("loss.train", over_seeds="mean")
    >>> table = settings_table([Setting({"optimizer.lr": 0.1}, [0, 1], [1.0, 2.0], loss, {})])
    >>> table.column_names
    ['optimizer.lr', 'mean', 'stderr', 'best', 'worst', 'runs', 'usable', 'best_run']
    """
    lines = [setting.line for setting in settings]
    return pa.table({name: array_of([line[name] for line in lines]) for name in (lines[0] if lines else ())})


def write_settings(folder: Path, settings: Sequence[Setting]) -> None:
    """Writes settings.csv into `folder`, where there are several settings.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_settings(Path(folder), [])
    ...     list(Path(folder).iterdir())
    []
    """
    if len(settings) > 1:
        table = settings_table(settings)
        replace(folder / SETTINGS, lambda file: write_csv(file, table))


def write_parquet(file: Path | BinaryIO, table: pa.Table) -> None:
    """Writes a table with the types of its columns.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_parquet(Path(folder, "a.parquet"), pa.table({"a": [1.5]}))
    ...     parquet.read_table(Path(folder, "a.parquet")).to_pylist()
    [{'a': 1.5}]
    """
    texts: Any = [field.name for field in table.schema if pa.types.is_string(field.type)]
    parquet.write_table(table, file, use_dictionary=texts)


def _column(values: Any, runs: int) -> pa.Array:
    if values is None:
        return pa.nulls(runs)
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(values.data, mask=np.ma.getmaskarray(values))
    if isinstance(values, np.ndarray):
        return pa.array(values, mask=~np.isfinite(values) if values.dtype.kind == "f" else None)
    return array_of(values)


def array_of(values: Sequence[Any] | np.ndarray) -> pa.Array:
    """A column of values, NaN and None null; of lists, and of values of several types, their texts.

    >>> array_of([1, "a"]).to_pylist(), array_of(np.array([1.5, np.nan])).to_pylist()
    (['1', 'a'], [1.5, None])
    """
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        array = None
    if array is None or pa.types.is_nested(array.type):
        return pa.array([None if value is None else str(value) for value in values])
    return array


def _texts(columns: Sequence[pa.Array]) -> list[pa.Array]:
    """What the csv module writes of each value, column by column; null of null."""
    texts: dict[int, pa.Array] = {}
    for kind, places in _kinds(columns):
        several = pa.concat_arrays([columns[place] for place in places])  # a call for each would take longer
        ends = accumulate((len(columns[place]) for place in places), initial=0)
        whole = WRITTEN.get(kind, _numbers)(several)
        texts |= {place: whole[start:end] for place, (start, end) in zip(places, pairwise(ends), strict=True)}
    return [texts[place] for place in range(len(columns))]


def _kinds(columns: Sequence[pa.Array]) -> Iterator[tuple[pa.DataType, list[int]]]:
    """The types of columns, each with the places of those that have it."""
    kinds: dict[pa.DataType, list[int]] = {}
    for place, column in enumerate(columns):
        kinds.setdefault(column.type, []).append(place)
    yield from kinds.items()


def _numbers(array: pa.Array) -> pa.Array:
    texts = array.cast(pa.string())
    is_float = pa.types.is_floating(array.type)
    return compute.replace_substring_regex(texts, WHOLE, r"\1.0") if is_float else texts


def _booleans(array: pa.Array) -> pa.Array:
    return compute.if_else(array, "True", "False")


def _quoted(array: pa.Array) -> pa.Array:
    quoted = compute.replace_substring(array, '"', '""')
    quoted = compute.binary_join_element_wise('"', quoted, '"', "")
    return compute.if_else(compute.match_substring_regex(array, SPECIAL), quoted, array)


WRITTEN: dict[pa.DataType, Callable[[pa.Array], pa.Array]] = {pa.bool_(): _booleans, pa.string(): _quoted}
