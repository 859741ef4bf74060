"""Triton's cache, for our launches: no damaged file, full disk or missing home ends a training.

It extends Triton's own manager of files, which may change with any version: pyproject.toml allows those that
are tested.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from triton import knobs
from triton.runtime.cache import FileCacheManager

from . import source_cache

SEAL = ".sha256"  # names the file beside each that holds its digest


@contextmanager
def cached() -> Iterator[None]:
    """Within it, what Triton compiles is kept in sealed files, unless the user has chosen another manager.

    >>> from triton import knobs
    >>> from packtrain.kernels.common import triton_cache
    >>> with triton_cache.cached():
    ...     knobs.cache.manager_class.__name__
    'Sealed'
    """
    if knobs.cache.manager_class is not None:
        yield
        return
    knobs.cache.manager_class = Sealed
    try:
        yield
    finally:
        del knobs.cache.manager_class


class Sealed(FileCacheManager):
    """Files with digests beside them: what is cut short or changed counts as missing.

    Where the folder can't be written, a temporary one takes its place, which ends with the process.
    """

    def __init__(self, key: str, override: bool = False, dump: bool = False) -> None:
        try:
            super().__init__(key, override, dump)
        except OSError as error:
            self._leave(error)

    def get_file(self, filename: str) -> str | None:
        """The path of a whole file, else None."""
        path = super().get_file(filename)
        return path if path and _whole(Path(path)) else None

    def get_group(self, filename: str) -> dict[str, str] | None:
        """name -> path of the files that were put together, or None unless all of them are whole."""
        path = self.get_file(f"__grp__{filename}")
        group = json.loads(Path(path).read_text())["child_paths"] if path else {}
        return group if group and all(_whole(Path(member)) for member in group.values()) else None

    def put(self, data: object, filename: str, binary: bool = True) -> str:
        """Writes a file and its digest; in the temporary folder, where this one can't be written."""
        try:
            return self._put(data, filename)
        except OSError as error:
            self._leave(error)
            return self._put(data, filename)

    def _put(self, data: object, filename: str) -> str:
        path = super().put(data, filename)
        super().put(_seal(Path(path)), f"{filename}{SEAL}")
        return path

    def _leave(self, error: OSError) -> None:
        source_cache.not_kept(error, self.cache_dir)
        where = Path(_temporary().name, self.key)
        where.mkdir(exist_ok=True)
        self.cache_dir, self.lock_path = str(where), str(where / "lock")


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="packtrain-")


def _seal(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).hexdigest().encode()


def _whole(file: Path) -> bool:
    try:
        return Path(f"{file}{SEAL}").read_bytes() == _seal(file)
    except OSError:
        return False
