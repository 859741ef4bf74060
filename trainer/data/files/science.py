"""FITS, HDF5 and Zarr, each by its own library; their arrays become columns as those of an NPZ do."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ....kernels.common.errors import UserError
from .arrays import NAMELESS
from .content import Content, flat

ELSEWHERE = "its numbers lie in another file"
OBJECTS = "it holds objects, and expected are numbers or words"


@contextmanager
def needing(file: Path, package: str) -> Iterator[None]:
    """Inside `with`, a `package` that isn't installed is a UserError, which says how to get it.

    >>> from pathlib import Path
    >>> from packtrain.trainer.data.files.science import needing
    >>> with needing(Path("book.xlsx"), "openpyxl"):
    ...     raise ImportError  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    UserError: book.xlsx needs openpyxl: pip install 'packtrain[files]'
    """
    try:
        yield
    except ImportError:
        raise UserError(f"{file} needs {package}: pip install 'packtrain[files]'") from None


def read_fits(file: Path) -> Content:
    """The columns of tables, and the images, called as their extensions are; read when they are used."""
    with needing(file, "astropy"):
        from astropy.io import fits  # noqa: PLC0415 (heavy, and an extra)
        from astropy.io.fits.verify import VerifyWarning  # noqa: PLC0415 (likewise)
        from astropy.utils.exceptions import AstropyUserWarning  # noqa: PLC0415 (likewise)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyUserWarning)
            warnings.simplefilter("ignore", VerifyWarning)
            warnings.filterwarnings("error", "Error validating header", VerifyWarning)
            with fits.open(file, memmap=True) as parts:
                return flat([pair for part in parts for pair in _of_part(part)])
    except (fits.VerifyError, AstropyUserWarning) as error:
        raise ValueError(str(error)) from None


def _of_part(part: Any) -> Iterator[tuple[str, np.ndarray]]:
    if part.data is None:
        return
    if hasattr(part, "columns"):
        yield from ((name, np.asarray(part.data[name])) for name in part.columns.names)
    else:
        yield part.name, np.asarray(part.data)


def hdf5_size(file: Path) -> int:
    """The bytes of all arrays, unpacked."""
    with _hdf5(file) as parts:
        return sum(part.nbytes for part in parts.values())


def read_hdf5(file: Path) -> Content:
    """The arrays of an HDF5, called by their paths, as in run/time. What a link leads to is left alone."""
    with _hdf5(file) as parts:
        return flat([(name, _of_dataset(part)) for name, part in parts.items()])


@contextmanager
def _hdf5(file: Path) -> Iterator[dict[str, Any]]:
    """The data sets by their paths."""
    with needing(file, "h5py"):
        import h5py  # noqa: PLC0415 (heavy, and an extra)
    parts: dict[str, Any] = {}
    with h5py.File(file) as opened:
        opened.visititems(parts.__setitem__)
        yield {name: part for name, part in parts.items() if getattr(part, "shape", None) is not None}


def _of_dataset(part: Any) -> np.ndarray | str:
    if part.external or part.is_virtual:
        return ELSEWHERE
    if _is_text(part.dtype):
        return np.asarray(part.asstr()[()])
    return OBJECTS if part.dtype.hasobject else np.asarray(part[()])


def _is_text(dtype: np.dtype) -> bool:
    return dtype.kind == "S" or (dtype.metadata or {}).get("vlen") is str


def zarr_size(file: Path) -> int:
    """The bytes of all arrays, unpacked."""
    return sum(part.nbytes for part in _zarr(file).values())


def read_zarr(file: Path) -> Content:
    """The arrays of a Zarr, called by their paths; one by itself is called x."""
    return flat([(name, _of_array(part)) for name, part in _zarr(file).items()])


def _zarr(file: Path) -> dict[str, Any]:
    with needing(file, "zarr"):
        import zarr  # noqa: PLC0415 (heavy, and an extra)
    root = zarr.open(str(file), mode="r")
    if isinstance(root, zarr.Array):
        return {NAMELESS: root}
    return {name: part for name, part in sorted(root.members(None)) if isinstance(part, zarr.Array)}


def _of_array(part: Any) -> np.ndarray | str:
    """The array, or why there is none: nothing is unpickled."""
    if "pickle" in str(part.metadata.to_dict()) or part.dtype.kind == "O":
        return OBJECTS
    array = np.asarray(part[...])
    return array.astype(object) if array.dtype.kind == "T" else array
