"""Generated source -> an imported module, through a file named after its content."""

import hashlib
import importlib.util
import os
import stat
import sys
from contextlib import suppress
from importlib.abc import InspectLoader
from pathlib import Path
from types import CodeType, ModuleType

from .errors import UserError

OTHERS, OTHERS_WRITE = stat.S_IRWXG | stat.S_IRWXO, stat.S_IWGRP | stat.S_IWOTH
NOWHERE = Path(os.devnull, "packtrain")  # no file can be there
_reasons: dict[str, bool] = {}  # the first reason why something isn't kept -> whether untold() has given it


def folder() -> Path:
    """Where generated sources are kept: $PACKTRAIN_CACHE, else packtrain/ in the user's cache folder.

    NOWHERE for a user without a home.

    >>> from packtrain.kernels.common import source_cache
    >>> source_cache.folder().is_absolute()
    True
    """
    if chosen := os.environ.get("PACKTRAIN_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packtrain"
    except RuntimeError:  # Python's, which finds no home
        return NOWHERE


def private_folder() -> Path:
    """The cache's folder, made if it isn't there, which the user alone can read and write from now on.

    What lies in it is run: sources are imported, and Numba unpickles what it compiled. Raises UserError
    where somebody else could have put it there, OSError where it can't be made.

    >>> from packtrain.kernels.common import source_cache
    >>> source_cache.private_folder() == source_cache.folder()
    True
    """
    where = folder()
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = where.stat()
    if status.st_uid != os.geteuid() or status.st_mode & OTHERS_WRITE:
        raise UserError(
            f"the cache {where} holds code that is run, and others than you can write there: "
            f"delete it, or let PACKTRAIN_CACHE name a folder of your own"
        )
    if status.st_mode & OTHERS:
        with suppress(OSError):  # on a file system that is read alone it can stay as it is
            where.chmod(0o700)
    return where


class _Loader(InspectLoader):
    """Compiles the text at each import: a .pyc beside its file might be damaged."""

    def __init__(self, source: str, file: Path) -> None:
        self.source, self.file = source, file

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.source, str(self.file))


def load(source: str) -> ModuleType:
    """The module of `source`. Its file is written once, and several processes may do so at the same time.

    What is compiled of it is cached beside that file. Where it can't be written nothing is kept, and
    untold() says why. Raises UserError where others could write to the folder.

    >>> from packtrain.kernels.common import source_cache
    >>> source_cache.load("def double(x): return 2 * x").double(21)
    42
    """
    name = f"packtrain_{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    if name in sys.modules:
        return sys.modules[name]
    file = _written(name, source)
    loader = _Loader(source, file)
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # Triton looks there for the text
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def version(*files: Path) -> str:
    """A hash of the files that generated code imports, to stand in its text: compiled code that is cached
    must not outlive them.

    >>> from pathlib import Path
    >>> from packtrain.kernels.common import source_cache
    >>> len(source_cache.version(Path(source_cache.__file__)))
    64
    """
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def not_kept(error: Exception, where: str = "") -> None:
    """Notes for untold() why what was compiled can't be kept in the folder `where`.

    >>> from unittest.mock import patch
    >>> from packtrain.kernels.common import source_cache
    >>> with patch.dict(source_cache._reasons, clear=True):
    ...     source_cache.not_kept(OSError(28, "No space left on device"), "/cache")
    ...     source_cache.untold()
    "can't write the cache /cache: No space left on device; what is compiled is not kept"
    """
    why = (isinstance(error, OSError) and error.strerror) or error
    if not _reasons:
        _reasons[f"can't write the cache {where or folder()}: {why}; what is compiled is not kept"] = False


def untold() -> str:
    """Why what was compiled isn't kept, once; '' where it is, or this was asked before.

    >>> from unittest.mock import patch
    >>> from packtrain.kernels.common import source_cache
    >>> with patch.dict(source_cache._reasons, {"the disk is full": False}, clear=True):
    ...     source_cache.untold(), source_cache.untold()
    ('the disk is full', '')
    """
    new = [reason for reason, given in _reasons.items() if not given]
    _reasons.update(dict.fromkeys(new, True))
    return "".join(new)


def _written(name: str, source: str) -> Path:
    """The file of this content in the cache; where that can't be written, a path that has no file."""
    try:
        return _write(private_folder(), name, source)
    except OSError as error:
        not_kept(error)
        return NOWHERE / f"{name}.py"


def _write(where: Path, name: str, source: str) -> Path:
    file = where / f"{name}.py"
    if not file.exists() or file.read_bytes() != source.encode():
        draft = where / f".{name}.{os.getpid()}"
        try:
            draft.write_bytes(source.encode())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    return file
