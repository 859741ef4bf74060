"""Files of data -> tables: CSV, Parquet, NPZ and safetensors, by the endings of their names."""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any
from unicodedata import normalize
from zipfile import ZipFile, is_zipfile

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from safetensors import safe_open
from safetensors.torch import load_file

from ...kernels.common.errors import UserError, choose
from .foreign import UNREADABLE
from .memory import available_memory, check_memory
from .table import Table

NUMBER = 8  # bytes: numbers become float64
Columns = tuple[dict[str, np.ndarray], dict[str, str]]  # by name, and name -> why it can't be used


def read(path: str | None) -> Table:
    """The columns of the file at `path`. Raises UserError where there is none or it can't be read.

    >>> import pathlib, tempfile
    >>> from packtrain.trainer.data.files import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "points.csv").write_text("x,y\\n1,2\\n3,4\\n")
    ...     read(f"{folder}/points.csv").columns["y"].tolist()
    [2, 4]
    """
    if path is None:
        raise UserError("data=file needs a file: add data.path=FILE")
    file = Path(os.path.expanduser(path))
    if os.path.isdir(file):
        raise UserError(f"data.path is one file, and {file} is a folder")
    if os.path.exists(file) and not os.path.isfile(file):
        raise UserError(f"data.path is a file on a disk, and {file} is a pipe or a device")
    if not os.path.isfile(file):
        raise UserError(f"there is no file {file} (looked for in {Path.cwd()}); see data.path")
    size, reader = choose(READERS, file.suffix.lower(), f"the ending of data.path={file.name}")
    try:
        _check_size(file, size(file))
        columns, refused = reader(file)
        return Table(str(file), columns, refused)
    except (*UNREADABLE, pyarrow.ArrowException) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file} can't be read as {file.suffix.lower()[1:]}: {reason}") from None


def _check_size(file: Path, size: int) -> None:
    check_memory(size, available_memory(), str(file), "take fewer rows or columns")


def _csv(file: Path) -> Columns:
    if not file.stat().st_size:
        return {}, {}
    serial = pyarrow.csv.ReadOptions(use_threads=False)  # with threads, errors name no row
    empty_alone = pyarrow.csv.ConvertOptions(null_values=[""])
    try:
        return _arrow(pyarrow.csv.read_csv(file, serial, convert_options=empty_alone))
    except pyarrow.ArrowInvalid as error:  # Arrow counts the header as a row; we don't
        raise ValueError(re.sub(r"Row #(\d+)", lambda row: f"row {int(row[1]) - 1}", str(error))) from None


def _parquet_size(file: Path) -> int:
    about = pyarrow.parquet.read_metadata(file)
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    return sum(NUMBER * group.num_rows * group.num_columns + group.total_byte_size for group in groups)


def _parquet(file: Path) -> Columns:
    return _arrow(pyarrow.parquet.read_table(file))


def _arrow(table: pyarrow.Table) -> Columns:
    names = [name.strip() for name in table.column_names]
    return _by_name(zip(names, map(_cells, table.columns), strict=True))


def _cells(column: pyarrow.ChunkedArray) -> np.ndarray:
    """The cells, None where one is empty."""
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    cells = np.empty(len(column), dtype=object)
    cells[:] = column.to_pylist()
    return cells


def _by_name(columns: Iterable[tuple[str, np.ndarray | str]]) -> Columns:
    """The columns by name, and those refused: names that two have, and columns that are a reason."""
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
    return usable, refused


def _npz_size(file: Path) -> int:
    """The bytes of the arrays. Raises ValueError where one isn't as large as its shape says.

    NumPy reserves what the shape says before it reads.
    """
    if not is_zipfile(file):
        raise ValueError("it is no archive of arrays, as np.savez writes them")
    with ZipFile(file) as archive:
        for member in archive.infolist():
            with archive.open(member) as array:
                shape, dtype = _header(array)
                size = member.file_size - array.tell()
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize != size:
                raise ValueError(
                    f"{member.filename} has {size:,} bytes, which is not {dtype} of shape {shape}"
                )
        return sum(member.file_size for member in archive.infolist())


def _header(array: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(array)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"its arrays are of the format {version}, and known are {', '.join(map(str, read))}")
    shape, _, dtype = read[version](array)
    return shape, dtype


def _npz(file: Path) -> Columns:
    with np.load(file, allow_pickle=False) as arrays:
        return flat((name, _array(arrays, name)) for name in arrays.files)


def _array(arrays: Mapping[str, Any], name: str) -> np.ndarray | str:
    """The array, or why there is none: objects would have to be unpickled."""
    try:
        return np.asarray(arrays[name])
    except ValueError as error:
        return f"the array {name} can't be read: {error}"


def _safetensors_size(file: Path) -> int:
    with safe_open(file, "pt") as arrays:
        shapes = [arrays.get_slice(name).get_shape() for name in arrays.keys()]  # noqa: SIM118
    return sum(NUMBER * math.prod(shape) for shape in shapes)


def _safetensors(file: Path) -> Columns:
    tensors = load_file(file).items()
    return flat((name, (t.double() if t.is_floating_point() else t).numpy()) for name, t in tensors)


def flat(arrays: Iterable[tuple[str, np.ndarray | str]]) -> Columns:
    """x [N] stays a column; x [N, K] becomes the columns x_0 ... x_K-1.

    >>> import numpy as np
    >>> from packtrain.trainer.data.files import flat
    >>> list(flat([("t", np.zeros(3)), ("x", np.zeros((3, 2)))])[0])
    ['t', 'x_0', 'x_1']
    """
    return _by_name(column for name, array in arrays for column in _columns(name, array))


def _columns(name: str, array: np.ndarray | str) -> list[tuple[str, np.ndarray | str]]:
    if isinstance(array, str) or array.ndim == 1:
        return [(name, array)]
    if array.ndim == 2:
        return [(f"{name}_{i}", array[:, i]) for i in range(array.shape[1])]
    shape = "x".join(map(str, array.shape))
    return [(name, f"the array {name} has the shape {shape or 'of one number'}: expected N or NxK")]


# ending -> (the least bytes of memory that a file takes, by what it says of itself; its reader)
READERS: dict[str, tuple[Callable[[Path], int], Callable[[Path], Columns]]] = {
    ".csv": (lambda file: file.stat().st_size, _csv),
    ".parquet": (_parquet_size, _parquet),
    ".npz": (_npz_size, _npz),
    ".safetensors": (_safetensors_size, _safetensors),
}
