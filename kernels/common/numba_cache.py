"""What Numba compiled, kept beside generated sources: no damaged file and no full disk ends a training."""

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, InTreeCacheLocator

from . import source_cache


def kept(function: Callable[..., Any]) -> Any:
    """`function` as Numba compiles it, without the lock of Python, once for each kind of arguments."""
    compiled: Any = njit(function, nogil=True, error_model="numpy")
    with suppress(OSError, RuntimeError):  # a source without a file: it is compiled, and not kept
        compiled._cache = _Kept(function)
    return compiled


class _Beside(InTreeCacheLocator):
    """The __pycache__ beside the source, whether or not it can be written."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Beside":
        return cls(py_func, py_file)

    def ensure_cache_path(self) -> None:
        Path(self.get_cache_path()).mkdir(exist_ok=True)


class _Results(CompileResultCacheImpl):
    _locator_classes = (_Beside,)


class _Sealed(IndexDataCacheFile):
    """Files that end in a digest of what comes before: one that was cut short or changed is as if not there.

    With its data stands what they were compiled for, since two processes may choose one name for two kinds.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        found = super().load(key)
        return found[1] if found is not None and found[0] == key else None

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
    _impl_class = _Results

    def __init__(self, py_func: Callable[..., Any]) -> None:
        super().__init__(py_func)
        where = self._impl.locator
        self._cache_file = _Sealed(where.get_cache_path(), self._impl.filename_base, where.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (
            Exception
        ):  # other versions of what it was pickled with, say: it is compiled again, and replaced
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
