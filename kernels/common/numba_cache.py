"""What Numba compiled, kept in the user's cache: neither a damaged file nor a full disk ends a training.

Numba's own cache is used, with files that end in a digest; its classes have no documented way to do so.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator

from . import source_cache


def cached(function: Callable[..., Any]) -> Any:
    """`function` compiled by Numba, once for each kind of arguments. It runs without Python's lock.

    >>> from packtrain.kernels.common.numba_cache import cached
    >>> cached(lambda x: 2 * x)(21)
    42
    """
    compiled: Any = njit(function, nogil=True, error_model="numpy")
    with suppress(OSError, RuntimeError):  # a source without a file: it is compiled, and not kept
        compiled._cache = _Kept(function)
    return compiled


class _InCache(_CacheLocator):
    """A folder in the user's cache, even if it can't be written."""

    def __init__(self, module: str, file: str) -> None:
        self.module, self.file = module, Path(file)
        self.folder = source_cache.private_folder()

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_InCache":
        return cls(py_func.__module__, py_file)

    def get_cache_path(self) -> Any:
        return str(self.folder / "__pycache__")

    def ensure_cache_path(self) -> None:
        Path(self.get_cache_path()).mkdir(exist_ok=True)

    def get_source_stamp(self) -> Any:
        """Changes with the file, and with all of ours that Numba compiles: code holds what it calls."""
        return source_cache.version(self.file, *_ours())

    def get_disambiguator(self) -> Any:
        return hashlib.sha256(self.module.encode()).hexdigest()[:16]


@cache
def _ours() -> list[Path]:
    """The sources of this package that Numba compiles."""
    package = Path(__file__).parent.parent
    return [file for file in sorted(package.rglob("*.py")) if "numba" in file.read_text()]


class _Results(CompileResultCacheImpl):
    """Compiled functions, to be found in the folder of _InCache and nowhere else."""

    _locator_classes = (_InCache,)


class _Sealed(IndexDataCacheFile):
    """Files that end in a digest of what comes before: one that is cut short or changed counts as missing.

    A file also holds the key that its data were compiled for: two processes may give one name to two keys.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        entry = super().load(key)
        return entry[1] if entry is not None and entry[0] == key else None

    def _load_index(self) -> dict[Any, str]:
        try:
            _check(Path(self._index_path))
            return super()._load_index()
        except OSError:
            return {}

    def _load_data(self, name: str) -> Any:
        _check(Path(self._data_path(name)))
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[Any]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getvalue() + _seal(content.getvalue()))


class _Kept(FunctionCache):
    """Numba's cache of a function, in sealed files: what can't be read or written is compiled again."""

    _impl_class = _Results

    def __init__(self, py_func: Callable[..., Any]) -> None:
        super().__init__(py_func)
        locator = self._impl.locator
        folder, stamp = locator.get_cache_path(), locator.get_source_stamp()
        self._cache_file = _Sealed(folder, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # pickled by another version, say: it is compiled again, and replaced
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            source_cache.not_kept(error, self.cache_path)


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _check(file: Path) -> None:
    """Raises OSError where the file isn't whole."""
    content = file.read_bytes()
    size = len(content) - len(_seal(b""))
    if content[max(size, 0) :] != _seal(content[: max(size, 0)]):
        raise OSError(f"{file} is damaged")
