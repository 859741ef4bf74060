"""Files of data -> tables: CSV, Parquet, NPZ and safetensors, told apart by their endings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from safetensors import SafetensorError
from safetensors.numpy import load_file

from trainer.data.table import Table
from kernels.errors import UserError, choose


def read(path: str | None) -> Table:
    """The columns of the file at `path`. Raises UserError where there is none or it can't be read."""
    if path is None:
        raise UserError("data=file needs a file: add data.path=FILE")
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"there is no file {file} (looked for in {Path.cwd()}); see data.path")
    reader = choose(READERS, file.suffix.lower(), f"the ending of data.path={file.name}")
    try:
        return Table(str(file), reader(file))
    except (OSError, ValueError, pyarrow.ArrowException, SafetensorError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file} can't be read as {file.suffix.lower()[1:]}: {reason}") from None


def _csv(file: Path) -> dict[str, np.ndarray]:
    if not file.stat().st_size:
        return {}
    return _arrow(pyarrow.csv.read_csv(file))


def _parquet(file: Path) -> dict[str, np.ndarray]:
    return _arrow(pyarrow.parquet.read_table(file))


def _arrow(table: pyarrow.Table) -> dict[str, np.ndarray]:
    return {
        name.strip(): column.to_numpy(zero_copy_only=False)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _npz(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return _flat(dict(arrays))


def _safetensors(file: Path) -> dict[str, np.ndarray]:
    return _flat(load_file(file))


def _flat(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """x [N] stays a column; x [N, K] becomes the columns x_0 ... x_K-1."""
    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[name] = array
        elif array.ndim == 2:
            columns |= {f"{name}_{i}": array[:, i] for i in range(array.shape[1])}
        else:
            shape = "x".join(map(str, array.shape))
            raise UserError(f"the array {name} has the shape {shape or 'of one number'}: expected N or NxK")
    return columns


READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
