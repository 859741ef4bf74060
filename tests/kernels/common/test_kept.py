"""What is compiled is kept, and nothing that befalls the folder it is kept in ends a training."""

import builtins
import errno
import io
import os
import py_compile
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from packtrain.kernels.common import source_cache

SOURCE = f'''"""{os.getpid()}"""

from packtrain.kernels.common.numba_cache import cached


@cached
def double(x):
    return x + x
'''
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "one byte more": lambda content: content + b"\0",
    "another byte": lambda content: content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"value = '\xff'\n",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with `double` in it, for whole numbers and then for others."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTRAIN_CACHE", str(folder))
        assert both(loaded()) == (6, 3.5)
    return folder


@pytest.fixture
def cache(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it."""
    folder = shutil.copytree(compiled, tmp_path / "cache")
    monkeypatch.setenv("PACKTRAIN_CACHE", str(folder))
    monkeypatch.setattr(source_cache, "_reasons", {})
    return folder


def loaded() -> ModuleType:
    """The module as another process would load it."""
    sys.modules.pop(source_cache.load(SOURCE).__name__)
    return source_cache.load(SOURCE)


def both(module: ModuleType) -> tuple[int, float]:
    return module.double(3), module.double(1.75)


def hits(module: ModuleType) -> int:
    return sum(module.double.stats.cache_hits.values())


def file(cache: Path, pattern: str) -> Path:
    (path,) = cache.rglob(pattern)
    return path


def test_what_is_kept_is_not_compiled_again(cache: Path) -> None:
    module = loaded()
    assert list(cache.rglob("*.nbi"))
    assert both(module) == (6, 3.5) and hits(module) == 2
    assert source_cache.untold() == ""
    assert {path.suffix for path in cache.rglob("*.*")} == {".py", ".nbi", ".nbc"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pattern", ["*.nbi", "*.1.nbc", "*.2.nbc", "*.py"])
def test_what_is_damaged_is_compiled_again_and_replaced(pattern: str, cache: Path) -> None:
    for damage in DAMAGES.values():
        damaged = file(cache, pattern)
        damaged.write_bytes(damage(damaged.read_bytes()))
        first = loaded()
        assert both(first) == (6, 3.5) and hits(first) == {"*.nbi": 0, "*.py": 2}.get(pattern, 1)
        again = loaded()
        assert both(again) == (6, 3.5) and hits(again) == 2
    assert source_cache.untold() == ""


@pytest.mark.parametrize("pattern", ["*.nbi", "*.1.nbc"])
def test_what_cannot_be_opened_is_compiled_again(pattern: str, cache: Path) -> None:
    name = file(cache, pattern)
    name.unlink()
    name.mkdir()
    assert both(loaded()) == (6, 3.5)


def test_no_compiled_source_is_read_or_left(cache: Path) -> None:
    """Python raises EOFError where a .pyc is cut short."""
    source = file(cache, "*.py")
    pyc = Path(py_compile.compile(str(source)) or "")
    for size in (16, pyc.stat().st_size // 2, pyc.stat().st_size - 1):
        os.truncate(pyc, size) if size > 16 else pyc.write_bytes(pyc.read_bytes()[:16])
        assert both(loaded()) == (6, 3.5)
        py_compile.compile(str(source))


def test_what_was_kept_for_other_arguments_is_not_taken(cache: Path) -> None:
    """Two processes that compile at once may choose one name for two kinds."""
    one, other = file(cache, "*.1.nbc"), file(cache, "*.2.nbc")
    one.write_bytes(other.read_bytes())
    assert both(loaded()) == (6, 3.5)


@contextmanager
def no_room(number: int, monkeypatch: pytest.MonkeyPatch, part: str = "") -> Iterator[None]:
    """Files whose names hold `part` can't be written, and no folder made."""
    real = builtins.open

    def opened(name: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if "w" in mode and part in str(name):
            raise OSError(number, os.strerror(number))
        return real(name, mode, *args, **options)

    def made(self: Path, *args: Any, **options: Any) -> None:
        if not self.exists():
            raise OSError(number, os.strerror(number), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        patch.setattr(io, "open", opened)
        if not part:
            patch.setattr(Path, "mkdir", made)
        yield


def reason(folder: Path, why: str) -> str:
    return f"can't write the cache {folder}: {why}; what is compiled is not kept"


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("number", "part"),
    [
        (errno.ENOSPC, ""),
        (errno.EDQUOT, ""),
        (errno.EACCES, ""),
        (errno.EROFS, "__pycache__"),
        (errno.ENOSPC, ".nbi"),
        (errno.EDQUOT, ".nbc"),
    ],
)
def test_without_room_it_is_compiled_and_not_kept_and_told_once(
    number: int, part: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(cache)
    with no_room(number, monkeypatch, part):
        for _ in range(2):
            assert both(loaded()) == (6, 3.5)
    where = cache / "__pycache__" if part else cache
    assert source_cache.untold() == reason(where, os.strerror(number)) and source_cache.untold() == ""
    assert both(loaded()) == (6, 3.5)  # there is room again
    assert {path.suffix for path in cache.rglob("*.*")} == {".py", ".nbi", ".nbc"}


def test_what_only_reads_is_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_room(errno.EROFS, monkeypatch):
        module = loaded()
        assert both(module) == (6, 3.5) and hits(module) == 2
    assert source_cache.untold() == ""


@pytest.mark.parametrize(("limit", "below"), [(10, ""), (2000, "__pycache__")])
def test_files_may_have_a_largest_size(limit: int, below: str, cache: Path) -> None:
    shutil.rmtree(cache)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        assert both(loaded()) == (6, 3.5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert source_cache.untold() == reason(cache / below, os.strerror(errno.EFBIG))
    assert not list(cache.rglob(".*")) and not list(cache.rglob("*.tmp.*"))


def test_a_cache_that_is_a_file(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")
    for name, why in ((tmp_path / "file", "File exists"), (tmp_path / "file" / "below", "Not a directory")):
        monkeypatch.setattr(source_cache, "_reasons", {})
        monkeypatch.setenv("PACKTRAIN_CACHE", str(name))
        assert both(loaded()) == (6, 3.5)
        assert source_cache.untold() == reason(name, why)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_source_without_a_file_has_its_text(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton compiles the text of functions."""
    monkeypatch.setattr(source_cache, "folder", lambda: source_cache.NOWHERE)
    text = f"# {os.getpid()}\nimport triton\n\n\n@triton.jit\ndef nothing(x):\n    pass\n"
    module = source_cache.load(text)
    assert module.nothing.fn.__name__ == "nothing"
    assert Path(str(module.__file__)).is_relative_to(source_cache.NOWHERE)
