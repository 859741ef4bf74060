"""Generated source -> an imported module, by way of a file named after its content."""

import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from kernels.errors import UserError

OTHERS, OTHERS_WRITE = stat.S_IRWXG | stat.S_IRWXO, stat.S_IWGRP | stat.S_IWOTH


def folder() -> Path:
    """Where generated sources are kept: $PACKTRAIN_CACHE, else packtrain/ in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PACKTRAIN_CACHE") or Path(home) / "packtrain")


def load(source: str) -> ModuleType:
    """The module of `source`, from the file that holds it: written once, safe for several processes at once.

    Compilers that read a function's file, and caches that lie beside it, need that file to exist.
    """
    name = f"packtrain_{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    if name in sys.modules:
        return sys.modules[name]
    file = _written(name, source)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


def version(*files: Path) -> str:
    """A hash of what generated code calls: the caches of its compiled form must not outlive that."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _written(name: str, source: str) -> Path:
    """The file of this content in the cache, or in a temporary folder where the cache can't be written."""
    try:
        return _write(_private(folder()), name, source)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return _write(Path(tempfile.mkdtemp(prefix="packtrain-")), name, source)


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
        where.chmod(0o700)
    return where


def _write(where: Path, name: str, source: str) -> Path:
    file = where / f"{name}.py"
    if not file.exists() or file.read_bytes() != source.encode():
        draft = where / f".{name}.{os.getpid()}"
        draft.write_bytes(source.encode())
        draft.replace(file)
    return file
