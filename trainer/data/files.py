"""Files of data -> tables: CSV, Parquet, NPZ and safetensors, told apart by their endings."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from safetensors import SafetensorError
from safetensors.torch import load_file

from kernels.errors import UserError, choose
from trainer.data.table import Table


def read(path: str | None) -> Table:
    """The columns of the file at `path`. Raises UserError where there is none or it can't be read."""
    if path is None:
        raise UserError("data=file needs a file: add data.path=FILE")
    file = Path(os.path.expanduser(path))
    if os.path.isdir(file):
        raise UserError(f"data.path is one file, and {file} is a folder")
    if not os.path.isfile(file):
        raise UserError(f"there is no file {file} (looked for in {Path.cwd()}); see data.path")
    reader = choose(READERS, file.suffix.lower(), f"the ending of data.path={file.name}")
    try:
        return Table(str(file), reader(file))
    except (OSError, EOFError, ValueError, BadZipFile, pyarrow.ArrowException, SafetensorError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file} can't be read as {file.suffix.lower()[1:]}: {reason}") from None


def _csv(file: Path) -> dict[str, np.ndarray]:
    if not file.stat().st_size:
        return {}
    serial = pyarrow.csv.ReadOptions(use_threads=False)  # with threads, errors name no row
    empty_alone = pyarrow.csv.ConvertOptions(null_values=[""])
    try:
        return _arrow(pyarrow.csv.read_csv(file, serial, convert_options=empty_alone))
    except pyarrow.ArrowInvalid as error:  # Arrow counts the header as a row; we don't
        raise ValueError(re.sub(r"Row #(\d+)", lambda row: f"row {int(row[1]) - 1}", str(error))) from None


def _parquet(file: Path) -> dict[str, np.ndarray]:
    return _arrow(pyarrow.parquet.read_table(file))


def _arrow(table: pyarrow.Table) -> dict[str, np.ndarray]:
    names = [name.strip() for name in table.column_names]
    return _once(zip(names, map(_cells, table.columns), strict=True))


def _cells(column: pyarrow.ChunkedArray) -> np.ndarray:
    """The cells, None where one is empty."""
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    cells = np.empty(len(column), dtype=object)
    cells[:] = column.to_pylist()
    return cells


def _once(columns: Iterable[tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, column in columns:
        if name in found:
            raise ValueError(f"two columns are called {name}")
        found[name] = column
    return found


def _npz(file: Path) -> dict[str, np.ndarray]:
    if not is_zipfile(file):
        raise ValueError("it is no archive of arrays, as np.savez writes them")
    with np.load(file, allow_pickle=False) as arrays:
        return _flat({name: np.asarray(array) for name, array in arrays.items()})


def _safetensors(file: Path) -> dict[str, np.ndarray]:
    tensors = load_file(file).items()
    return _flat({name: (t.double() if t.is_floating_point() else t).numpy() for name, t in tensors})


def _flat(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """x [N] stays a column; x [N, K] becomes the columns x_0 ... x_K-1."""
    return _once(column for name, array in arrays.items() for column in _columns(name, array))


def _columns(name: str, array: np.ndarray) -> list[tuple[str, np.ndarray]]:
    if array.ndim == 1:
        return [(name, array)]
    if array.ndim == 2:
        return [(f"{name}_{i}", array[:, i]) for i in range(array.shape[1])]
    shape = "x".join(map(str, array.shape))
    raise ValueError(f"the array {name} has the shape {shape or 'of one number'}: expected N or NxK")


READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
