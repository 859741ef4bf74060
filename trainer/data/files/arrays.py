"""NumPy's and Hugging Face's arrays: NPY, NPZ and safetensors."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile, is_zipfile

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file

from ..discretion import reason
from .content import Content, flat

NUMBER = 8  # bytes: numbers become float64
NAMELESS = "x"  # what the one array of an NPY is called


def npz_size(file: Path) -> int:
    """The bytes of the arrays. Raises ValueError where one isn't as large as its shape says.

    NumPy reserves what the shape says before it reads.

    >>> import tempfile
    >>> import numpy as np
    >>> from packtrain.trainer.data.files.arrays import npz_size
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.npz")
    ...     np.savez(file, t=np.zeros(3))
    ...     npz_size(file) > 24
    True
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


def read_npz(file: Path) -> Content:
    """The arrays of an NPZ as columns.

    >>> import tempfile
    >>> import numpy as np
    >>> from packtrain.trainer.data.files.arrays import read_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.npz")
    ...     np.savez(file, t=np.arange(3))
    ...     read_npz(file).columns["t"].tolist()
    [0, 1, 2]
    """
    with np.load(file, allow_pickle=False) as arrays:
        return flat((name, _array(arrays, name)) for name in arrays.files)


def _array(arrays: Mapping[str, Any], name: str) -> np.ndarray | str:
    """The array, or why there is none: objects would have to be unpickled."""
    try:
        return np.asarray(arrays[name])
    except ValueError as error:
        return f"the array {name} can't be read: {reason(error)}"


def read_npy(file: Path) -> Content:
    """The one array of an NPY, called x, as columns; they are read when they are used.

    >>> import tempfile
    >>> import numpy as np
    >>> from packtrain.trainer.data.files.arrays import read_npy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.npy")
    ...     np.save(file, np.zeros((3, 2)))
    ...     list(read_npy(file).columns)
    ['x_0', 'x_1']
    """
    return flat([(NAMELESS, np.load(file, allow_pickle=False, mmap_mode="r"))])


def safetensors_size(file: Path) -> int:
    """The bytes of the arrays as float64.

    >>> import tempfile
    >>> import torch
    >>> from safetensors.torch import save_file
    >>> from packtrain.trainer.data.files.arrays import safetensors_size
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.safetensors")
    ...     save_file({"t": torch.zeros(3)}, file)
    ...     safetensors_size(file)
    24
    """
    with safe_open(file, "pt") as arrays:
        shapes = [arrays.get_slice(name).get_shape() for name in arrays.keys()]  # noqa: SIM118
    return sum(NUMBER * math.prod(shape) for shape in shapes)


def read_safetensors(file: Path) -> Content:
    """The tensors of a safetensors file as columns.

    >>> import tempfile
    >>> import torch
    >>> from safetensors.torch import save_file
    >>> from packtrain.trainer.data.files.arrays import read_safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "data.safetensors")
    ...     save_file({"t": torch.zeros(3)}, file)
    ...     list(read_safetensors(file).columns)
    ['t']
    """
    tensors = load_file(file).items()
    return flat((name, (t.double() if t.is_floating_point() else t).numpy()) for name, t in tensors)
