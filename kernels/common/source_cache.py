"""Generated source -> an imported module, by way of a file named after its content."""

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
_told: dict[str, bool] = {}  # the first reason why something is not kept, and whether untold() has told it


def folder() -> Path:
    """Where generated sources are kept: $PACKTRAIN_CACHE, else packtrain/ in the user's cache folder.

    A user without a home has none.
    """
    if named := os.environ.get("PACKTRAIN_CACHE"):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packtrain"
    except RuntimeError:  # Python's, which finds no home
        return NOWHERE


class _Loader(InspectLoader):
    """Compiles the text itself whenever it is imported: a .pyc beside its file might be damaged."""

    def __init__(self, source: str, file: Path) -> None:
        self.source, self.file = source, file

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.source, str(self.file))


def load(source: str) -> ModuleType:
    """The module of `source`, whose file is written once, safe for several processes at once.

    Caches lie beside that file. Where it can't be written, nothing is kept, and untold() says why.
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
    """A hash of what generated code calls: the caches of its compiled form must not outlive that."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def not_kept(error: Exception, where: str = "") -> None:
    """Notes why what was compiled can't be kept in the folder `where`."""
    why = (isinstance(error, OSError) and error.strerror) or error
    if not _told:
        _told[f"can't write the cache {where or folder()}: {why}; what is compiled is not kept"] = False


def untold() -> str:
    """Why what was compiled is not kept; '' where it is, or where this was said before."""
    new = [reason for reason, told in _told.items() if not told]
    _told.update(dict.fromkeys(new, True))
    return "".join(new)


def _written(name: str, source: str) -> Path:
    """The file of this content in the cache; where that can't be written, a path that has no file."""
    try:
        return _write(_private(folder()), name, source)
    except OSError as error:
        not_kept(error)
        return NOWHERE / f"{name}.py"


def _private(where: Path) -> Path:
    """The folder `where`, made of mode 0700, which a folder of the user's own gets that others may read.

    What lies in it is run: sources are imported, and Numba unpickles what it compiled. Raises UserError
    where somebody else could have put it there.
    """
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = where.stat()
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
        raise UserError(
            f"the cache {where} holds code that is run, and others than you can write there: "
            f"delete it, or let PACKTRAIN_CACHE name a folder of your own"
        )
    if found.st_mode & OTHERS:
        with suppress(OSError):  # what only reads can stay as it is
            where.chmod(0o700)
    return where


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
