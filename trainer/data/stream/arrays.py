"""Rows of arrays that lie in a file as they are: NPY, NPZ and safetensors."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import pyarrow
from pyarrow.fs import LocalFileSystem

from ....kernels.common.errors import UserError
from ..files.arrays import NAMELESS
from .places import Place
from .stored import NUMBERS

LOCAL = 30  # bytes of a member's own header in an archive, before its name
PAGE = 1 << 12  # bytes that a system reads of a file at least
MOST_HEADER = 100 << 20  # bytes, as safetensors has it
# safetensors' names of types -> NumPy's; bf16 has none there
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?", "BF16": "<u2",
}  # fmt: skip


@dataclass(frozen=True)
class Lying:
    """An array of `shape` at a byte `offset` of a file. `by_columns`: in Fortran's order; `halved`: bf16."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool = False
    halved: bool = False

    @property
    def width(self) -> int:
        """How many columns it makes."""
        return math.prod(self.shape[1:])

    def rows(self, file: pyarrow.NativeFile, start: int, stop: int) -> np.ndarray:
        """Its rows [stop - start, width]."""
        if not self.by_columns:
            return self._span(file, start * self.width, stop * self.width).reshape(-1, self.width)
        spans = [
            (column * self.shape[0] + start, column * self.shape[0] + stop) for column in range(self.width)
        ]
        return np.stack([self._span(file, *span) for span in spans]).T

    def lies_as(self, rows: np.ndarray) -> bool:
        """Whether its rows lie as these do, byte for byte."""
        alike = rows.dtype == self.dtype and rows.shape[1] == self.width and rows.flags.c_contiguous
        return alike and not (self.by_columns or self.halved)

    def into(self, file: pyarrow.NativeFile, start: int, rows: np.ndarray) -> None:
        """Reads the rows from `start` on, which lie as these do. Raises ValueError where the file ends."""
        file.seek(self.offset + start * self.width * self.dtype.itemsize)
        left = rows.reshape(-1).view(np.uint8).data
        while left:
            if not (count := file.readinto(left)):
                raise ValueError("it ends before its arrays do")
            left = left[count:]

    def scattered(self, path: str, rows: np.ndarray) -> np.ndarray:
        """Single rows [len(rows), width], through a map of the file that is dropped then."""
        order = "F" if self.by_columns else "C"
        whole = np.memmap(path, self.dtype, "r", self.offset, (self.shape[0], self.width), order)
        numbers = np.asarray(whole[rows])
        return (numbers.astype("<u4") << 16).view("<f4") if self.halved else numbers

    def _span(self, file: pyarrow.NativeFile, first: int, stop: int) -> np.ndarray:
        """So many numbers of it, as they lie. Raises ValueError where the file ends before."""
        size, wanted = self.dtype.itemsize, (stop - first) * self.dtype.itemsize
        buffer = file.read_at(wanted, self.offset + first * size)
        if len(buffer) != wanted:
            raise ValueError("it ends before its arrays do")
        numbers = np.frombuffer(buffer, self.dtype)
        return (numbers.astype("<u4") << 16).view("<f4") if self.halved else numbers


class ArrayRows:
    """Arrays of equally many rows in one file; see Stored. x [N, K] is the columns x_0 ... x_K-1."""

    def __init__(self, place: Place, find: Callable[[Place, pyarrow.NativeFile], dict[str, Lying]]) -> None:
        self.place, self.file, self.cuts = place, place.open(), []
        self.lying = find(place, self.file)
        sizes = {name: lying.shape[0] if lying.shape else 0 for name, lying in self.lying.items()}
        self.rows = max(sizes.values(), default=0)
        self.columns = dict(self._columns())
        self.kinds = {
            name: NUMBERS
            if sizes[array] == self.rows
            else f"it has {sizes[array]:,} rows, and others {self.rows:,}"
            for name, (array, _) in self.columns.items()
        }
        size = self.file.size()
        for name, lying in self.lying.items():
            if lying.offset + lying.dtype.itemsize * math.prod(lying.shape) > size:
                raise ValueError(f"it ends before its array {name} does")

    def _columns(self) -> Iterator[tuple[str, tuple[str, int]]]:
        for name, lying in self.lying.items():
            if len(lying.shape) == 1:
                yield name, (name, 0)
            else:
                yield from ((f"{name}_{column}", (name, column)) for column in range(lying.width))

    def read(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        arrays = {self.columns[name][0] for name in names}
        rows = {array: self.lying[array].rows(self.file, start, stop) for array in arrays}
        return self._of(names, rows)

    def into(self, names: Sequence[str], start: int, stop: int, rows: np.ndarray) -> bool:
        places = [self.columns[name] for name in names]
        array = places[0][0]
        if places != [(array, column) for column in range(len(places))] or not self.lying[array].lies_as(
            rows
        ):
            return False
        self.lying[array].into(self.file, start, rows)
        return True

    def expect(self, names: Sequence[str], start: int, stop: int) -> None:
        if not isinstance(self.place.files, LocalFileSystem) or not hasattr(os, "posix_fadvise"):
            return
        with suppress(OSError), Path(self.place.path).open("rb", buffering=0) as file:
            for name in {self.columns[name][0] for name in names}:
                lying = self.lying[name]
                size = lying.width * lying.dtype.itemsize
                if not lying.by_columns:
                    span = lying.offset + start * size, (stop - start) * size
                    os.posix_fadvise(file.fileno(), *span, os.POSIX_FADV_WILLNEED)

    def lies_apart(self, names: Sequence[str]) -> bool:
        arrays = [self.lying[self.columns[name][0]] for name in names]
        wide = all(a.width * a.dtype.itemsize >= PAGE and not a.by_columns for a in arrays)
        return wide and isinstance(self.place.files, LocalFileSystem)

    def scattered(self, names: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
        if not isinstance(self.place.files, LocalFileSystem):
            raise UserError(
                f"data.shuffle=full reads single rows, and {self.place.path} is far away: data.shuffle=blocks"
            )
        arrays = {self.columns[name][0] for name in names}
        return self._of(names, {name: self.lying[name].scattered(self.place.path, rows) for name in arrays})

    def _of(self, names: Sequence[str], rows: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [rows[array][:, column] for array, column in (self.columns[name] for name in names)]


def _npy(place: Place, file: pyarrow.NativeFile) -> dict[str, Lying]:
    return {NAMELESS: _of_header(place, file, 0)}


def _of_header(place: Place, file: Any, base: int) -> Lying:
    """The array whose header begins where `file` stands, at a byte `base`. Raises ValueError."""
    begin = file.tell()
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"its arrays are of the format {version}, and known are 1.0 and 2.0")
    shape, by_columns, dtype = readers[version](file)
    if dtype.kind not in "fiub":
        raise UserError(f"{place.path} can't be streamed: expected an array of numbers, got {dtype}")
    return Lying(base + file.tell() - begin, dtype, shape, by_columns and len(shape) > 1)


def _npz(place: Place, file: pyarrow.NativeFile) -> dict[str, Lying]:
    found = {}
    try:
        with ZipFile(file) as archive:
            for member in archive.infolist():
                if member.compress_type != ZIP_STORED:
                    raise UserError(
                        f"{place.path} can't be streamed, since it is packed: write it by np.savez, not by "
                        "np.savez_compressed"
                    )
                own = bytes(file.read_at(LOCAL, member.header_offset))
                before = LOCAL + int.from_bytes(own[26:28], "little") + int.from_bytes(own[28:30], "little")
                with archive.open(member) as array:
                    name = member.filename.removesuffix(".npy")
                    found[name] = _of_header(place, array, member.header_offset + before)
    except BadZipFile as error:
        raise ValueError(str(error)) from None
    return found


def _safetensors(place: Place, file: pyarrow.NativeFile) -> dict[str, Lying]:
    length = int.from_bytes(file.read_at(8, 0), "little")
    if not 0 < length <= min(MOST_HEADER, file.size() - 8):
        raise ValueError("its header is longer than the file")
    header = json.loads(bytes(file.read_at(length, 8)))
    found = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        if about["dtype"] not in DTYPES:
            raise ValueError(f"its array {name} holds {about['dtype']}, and known are {', '.join(DTYPES)}")
        dtype, shape = np.dtype(DTYPES[about["dtype"]]), tuple(map(int, about["shape"]))
        first, end = map(int, about["data_offsets"])
        if end - first != dtype.itemsize * math.prod(shape):
            raise ValueError(
                f"its array {name} has {end - first:,} bytes, which is not {dtype} of shape {shape}"
            )
        found[name] = Lying(8 + length + first, dtype, shape, halved=about["dtype"] == "BF16")
    return dict(sorted(found.items()))


def reader(find: Callable[[Place, pyarrow.NativeFile], dict[str, Lying]]) -> Callable[[Place], ArrayRows]:
    """What opens a file whose arrays `find` finds.

    >>> import tempfile
    >>> import numpy as np
    >>> from packtrain.trainer.data.stream.arrays import READERS
    >>> from packtrain.trainer.data.stream.places import places
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/data.npy", np.arange(6.0).reshape(3, 2))
    ...     READERS[".npy"](*places(f"{folder}/data.npy")).read(["x_1"], 1, 3)
    [array([3., 5.])]
    """
    return lambda place: ArrayRows(place, find)


READERS = {".npy": reader(_npy), ".npz": reader(_npz), ".safetensors": reader(_safetensors)}
