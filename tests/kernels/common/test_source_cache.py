import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.kernels.common import source_cache
from packtrain.kernels.common.errors import UserError
from tests.helpers import IMPORTABLE

COUNT = iter(range(1000))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, not yet there."""
    folder = tmp_path / "deep" / "cache"
    monkeypatch.setenv("PACKTRAIN_CACHE", str(folder))
    return folder


def fresh(value: int = 7) -> str:
    """A source that no test has loaded."""
    return f'"""{os.getpid()} {next(COUNT)} of the tests."""\n\nvalue = {value}\n'


def only(folder: Path) -> Path:
    (file,) = folder.glob("*.py")
    return file


def forget(name: str) -> None:
    """As if this process had not loaded the module."""
    del sys.modules[name]


def test_a_source_becomes_a_module(cache: Path) -> None:
    assert source_cache.load(fresh(value=13)).value == 13


def test_the_same_text_is_the_same_module(cache: Path) -> None:
    source = fresh()
    assert source_cache.load(source) is source_cache.load("".join(source))
    assert source_cache.load(source) is not source_cache.load(source + "\n")


def test_the_file_is_named_after_its_content(cache: Path) -> None:
    source, other = fresh(), fresh()
    module = source_cache.load(source)
    assert only(cache).stem == module.__name__
    assert only(cache).read_text() == source
    assert module.__file__ == str(only(cache))
    source_cache.load(other)
    assert len(list(cache.glob("*.py"))) == 2


def test_the_folder_is_the_users_alone(cache: Path) -> None:
    source_cache.load(fresh())
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_folder_that_others_may_read_becomes_the_users_alone(cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o755)
    source_cache.load(fresh())
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o770, 0o702])
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_that_others_may_write_is_refused(mode: int, linked: bool, cache: Path) -> None:
    """Whoever could write there could have left a compiled form, which Numba would unpickle."""
    cache.parent.mkdir()
    real = cache.parent / "elsewhere" if linked else cache
    real.mkdir()
    real.chmod(mode)
    if linked:
        cache.symlink_to(real)
    with pytest.raises(UserError) as refused:
        source_cache.load(fresh())
    assert str(refused.value) == (
        f"the cache {cache} holds code that is run, and others than you can write there: "
        "delete it, or let PACKTRAIN_CACHE name a folder of your own"
    )
    assert not list(real.iterdir()) and stat.S_IMODE(real.stat().st_mode) == mode


def test_a_folder_of_somebody_else_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_cache.load(fresh())
    monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)
    with pytest.raises(UserError, match="others than you can write there"):
        source_cache.load(fresh())


def test_what_numba_keeps_lies_in_the_same_folder(cache: Path) -> None:
    code = "from numba import njit\n\n\n@njit(cache=True)\ndef same(x):\n    return x\n"
    module = source_cache.load(fresh() + code)
    assert module.same(3) == 3
    assert list((cache / "__pycache__").glob("*.nbi"))


def test_nothing_but_the_source_is_left_behind(cache: Path) -> None:
    source_cache.load(fresh())
    assert {path.name for path in cache.iterdir()} <= {only(cache).name, "__pycache__"}


def test_a_file_that_is_there_is_not_written_again(cache: Path) -> None:
    module = source_cache.load(source := fresh())
    before = only(cache).stat()
    forget(module.__name__)
    source_cache.load(source)
    after = only(cache).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


@pytest.mark.parametrize("content", [b"value = 666\n", b"", b"value = '\xff'\n"])
def test_a_file_whose_content_was_changed_is_rewritten(cache: Path, content: bytes) -> None:
    module = source_cache.load(source := fresh())
    only(cache).write_bytes(content)
    forget(module.__name__)
    assert source_cache.load(source).value == 7
    assert only(cache).read_text() == source


def test_a_source_that_fails_is_not_kept_as_a_module(cache: Path) -> None:
    source = fresh() + "raise RuntimeError('no')\n"
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            source_cache.load(source)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PACKTRAIN_CACHE": "/here", "XDG_CACHE_HOME": "/there"}, "/here"),
        ({"XDG_CACHE_HOME": "/there"}, "/there/packtrain"),
        ({"PACKTRAIN_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/someone/.cache/packtrain"),
        ({}, "/home/someone/.cache/packtrain"),
    ],
)
def test_where_the_cache_is(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PACKTRAIN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert source_cache.folder() == Path(expected)


def test_a_user_without_a_home_has_no_folder_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "PACKTRAIN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    assert source_cache.folder() == source_cache.NOWHERE
    monkeypatch.setenv("PACKTRAIN_CACHE", "/here")
    assert source_cache.folder() == Path("/here")


def test_two_processes_at_once_load_the_same(cache: Path) -> None:
    source = fresh(value=3) + "# long\n" * 100_000
    code = f"import sys; sys.path.insert(0, {str(IMPORTABLE)!r}); "
    code += "from packtrain.kernels.common.source_cache import load; "
    code += "text = sys.stdin.read(); print(load(text).value)"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(source)
        process.stdin.close()
        process.stdin = None
    assert [process.communicate(timeout=60)[0].strip() for process in started] == ["3", "3"]
    assert only(cache).read_text() == source


def test_a_version_is_another_where_a_file_is(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("a = 1\n")
    other.write_text("a = 2\n")
    assert source_cache.version(one) != source_cache.version(other)
    assert source_cache.version(one, other) != source_cache.version(one)
