"""Files of data -> tables, by the endings of their names; several files are one table."""

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow

from ....kernels.common.errors import UserError, choose
from ..discretion import looked_for, may_read, reason
from ..foreign import UNREADABLE
from ..memory import available_memory, check_memory
from ..table import Table
from .arrays import npz_size, read_npy, read_npz, read_safetensors, safetensors_size
from .arrow import parquet_size, read_arrow, read_parquet
from .content import Content
from .science import hdf5_size, read_fits, read_hdf5, read_zarr, zarr_size
from .sheets import read_xlsx, xlsx_size
from .text import read_text

FOLDER = ".zarr"  # the one ending of folders
FILE = "file"  # the column of several files' names


def read(path: str | None) -> Table:
    """The columns of the file at `path`, or of all files that are like it, such as runs/*.csv.

    The rows of several files stand after one another, and their names in the column `file`. Raises UserError
    where there is no file, or one can't be read.

    >>> import pathlib, tempfile
    >>> from packtrain.trainer.data.files.read import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "points.csv").write_text("x,y\\n1,2\\n3,4\\n")
    ...     read(f"{folder}/points.csv").columns["y"].tolist()
    [2, 4]
    """
    if path is None:
        raise UserError("data=file needs a file: add data.path=FILE")
    expanded = os.path.expanduser(path)
    if glob.has_magic(expanded) and not os.path.exists(expanded):
        return _read_all(path, [Path(name) for name in sorted(glob.glob(expanded, recursive=True))])
    return _read(Path(expanded))


def _read(file: Path) -> Table:
    may_read(file)
    size, reader = _reader(file)
    try:
        _check_size(file, size(file))
        content = reader(file)
    except (*UNREADABLE, pyarrow.ArrowException) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{file} can't be read as {_ending(file)[1:]}: {reason(error)}") from None
    return content.table(str(file))


def _reader(file: Path) -> tuple[Callable[[Path], int], Callable[[Path], Content]]:
    """How large the file's columns are, and how it is read. Raises UserError where it is none."""
    if os.path.isdir(file) and _ending(file) != FOLDER:
        raise UserError(
            f"data.path is one file, or a pattern such as '{file}/*.csv' for several, and {file} is a folder"
        )
    if os.path.exists(file) and not (os.path.isfile(file) or os.path.isdir(file)):
        raise UserError(f"data.path is a file on a disk, and {file} is a pipe or a device")
    if not os.path.exists(file):
        raise UserError(f"there is no file {file} ({looked_for()}); see data.path")
    return choose(READERS, _ending(file), f"the ending of data.path={file.name}")


def _ending(file: Path) -> str:
    """.csv, and .csv.gz of what is packed."""
    ending = file.suffix.lower()
    return Path(file.stem).suffix.lower() + ending if ending == ".gz" else ending


def _check_size(file: Path, size: int) -> None:
    check_memory(size, available_memory(), str(file), "take fewer rows or columns")


def _read_all(pattern: str, files: Sequence[Path]) -> Table:
    if not files:
        raise UserError(f"no file is like data.path={pattern} ({looked_for()})")
    tables = [_read(file) for file in files]
    for table in tables:
        _check_columns(pattern, tables[0], table)
    counts = [table.rows(table.names) for table in tables]
    folder = os.path.commonpath([file.parent for file in files])
    names = [os.path.relpath(file, folder) for file in files]
    columns = {name: _joined([table.columns[name] for table in tables]) for name in tables[0].columns}
    refused = {name: reason for table in tables for name, reason in table.refused.items()}
    own = {} if FILE in tables[0].names else {FILE: np.repeat(np.array(names, dtype=object), counts)}
    return Table(
        pattern,
        columns | own,
        refused,
        parts=tuple(zip((table.source for table in tables), counts, strict=True)),
        beside=tuple(own),
        notes=tuple(note for table in tables for note in table.notes),
    )


def _check_columns(pattern: str, first: Table, other: Table) -> None:
    for one, two in ((first, other), (other, first)):
        missing = [name for name in one.names if name not in two.names]
        if missing:
            raise UserError(
                f"{two.source} has no column {missing[0]}, and {one.source} has: the files of "
                f"data.path={pattern} have the same columns"
            )


def _joined(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The columns after one another, as objects where they are of several kinds."""
    kinds = {column.dtype.kind for column in columns}
    if len(kinds) == 1 or kinds <= {*"fiub"}:
        return np.concatenate(columns)
    return np.concatenate([column.astype(object) for column in columns])


def _stored(file: Path) -> int:
    return file.stat().st_size


# ending -> (the least bytes of memory that a file takes, by what it says of itself; its reader)
READERS: dict[str, tuple[Callable[[Path], int], Callable[[Path], Content]]] = {
    ".csv": (_stored, read_text),
    ".tsv": (_stored, read_text),
    ".csv.gz": (_stored, read_text),
    ".tsv.gz": (_stored, read_text),
    ".parquet": (parquet_size, read_parquet),
    ".arrow": (_stored, read_arrow),
    ".feather": (_stored, read_arrow),
    ".xlsx": (xlsx_size, read_xlsx),
    ".npy": (_stored, read_npy),
    ".npz": (npz_size, read_npz),
    ".safetensors": (safetensors_size, read_safetensors),
    ".fits": (_stored, read_fits),
    ".h5": (hdf5_size, read_hdf5),
    ".hdf5": (hdf5_size, read_hdf5),
    ".zarr": (zarr_size, read_zarr),
}
