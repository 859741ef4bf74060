"""Triton's cache: what is damaged is compiled again, and where it can't be written nothing is kept."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from triton import knobs
from triton.runtime.cache import FileCacheManager, get_cache_manager

from packtrain.kernels.common import launch, source_cache, triton_cache
from tests.kernels.common.test_kept import DAMAGES

KEY = "ab" * 32


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Triton's folder, not yet there."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    monkeypatch.setattr(source_cache, "_told", {})
    return tmp_path / "triton"


def put() -> dict[str, str]:
    with triton_cache.kept():
        manager = get_cache_manager(KEY)
        group = {
            name: manager.put(data, name)
            for name, data in (("k.cubin", bytes(range(99))), ("k.json", "{}" * 40))
        }
        manager.put_group("k.json", group)
    return group


def found() -> dict[str, str] | None:
    with triton_cache.kept():
        return get_cache_manager(KEY).get_group("k.json")


def test_what_was_put_is_found(cache: Path) -> None:
    assert found() is None
    group = put()
    assert found() == group and group.keys() == {"k.cubin", "k.json"}
    assert Path(group["k.json"]).read_text() == "{}" * 40
    with triton_cache.kept():
        assert get_cache_manager(KEY).get_file("k.json") == group["k.json"]
        assert get_cache_manager(KEY).get_file("other") is None
    assert source_cache.untold() == ""


def test_what_is_damaged_is_as_if_it_were_not_there(cache: Path) -> None:
    put()
    names = [each for each in cache.rglob("*") if each.is_file()]
    assert len(names) == 6  # a binary, a text, their group, and a seal of each
    for name in names:
        content = name.read_bytes()
        for damage in DAMAGES.values():
            name.write_bytes(damage(content))
            assert found() is None
            name.write_bytes(content)
        name.unlink()
        assert found() is None
        assert put() == found()


def test_where_nothing_can_be_written_a_folder_serves_that_ends_with_the_process(cache: Path) -> None:
    cache.write_text("mine")
    group = put()
    assert not any(Path(each).is_relative_to(cache) for each in group.values())
    assert source_cache.untold().startswith(f"can't write the cache {cache}")
    assert found() == group and cache.read_text() == "mine"
    triton_cache._temporary().cleanup()
    triton_cache._temporary.cache_clear()
    assert not any(Path(each).exists() for each in group.values())


def test_a_disk_that_fills_up_costs_what_is_put_then(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FileCacheManager.put

    def full(self: FileCacheManager, data: object, filename: str, binary: bool = True) -> str:
        if filename.endswith(triton_cache.SEAL) and Path(self.cache_dir).is_relative_to(cache):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, data, filename, binary)

    monkeypatch.setattr(FileCacheManager, "put", full)
    group = put()
    assert all(Path(each).exists() for each in group.values())
    assert "No space left on device; what is compiled is not kept" in source_cache.untold()
    assert found() is None


def test_what_is_set_is_set_back(cache: Path) -> None:
    with triton_cache.kept(), triton_cache.kept():
        assert knobs.cache.manager_class is triton_cache.Sealed
    assert knobs.cache.manager_class is None and "TRITON_CACHE_MANAGER" not in os.environ


def test_a_manager_of_the_users_own_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_MANAGER", "triton.runtime.cache:FileCacheManager")
    with triton_cache.kept():
        assert knobs.cache.manager_class is FileCacheManager


HALVE = f"""# {os.getpid()}
import triton
import triton.language as tl


@triton.jit
def halve(x_ptr, BLOCK: tl.constexpr):
    n = tl.arange(0, BLOCK)
    tl.store(x_ptr + n, tl.load(x_ptr + n) / 2)
"""


@pytest.mark.only_emulated
def test_a_launch_compiles_again_what_is_damaged(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes a kernel whose source has no file."""
    hits: list[bool] = []
    monkeypatch.setattr(knobs.compilation, "listener", lambda **told: hits.append(told["cache_hit"]))
    monkeypatch.setattr(source_cache, "folder", lambda: source_cache.NOWHERE)
    kernel = source_cache.load(HALVE).halve

    def launched() -> bool:
        """Whether a new process would find it."""
        monkeypatch.setattr("tests.gpu.emulator.compiled", {})
        x = torch.full((128,), 6.0)
        launch.launch(kernel, 1, x, 128, num_warps=1)
        assert x.eq(3).all()
        return hits.pop()

    assert not launched() and launched()
    for name in ("halve.cubin", "halve.json", "halve.ptx", "__grp__halve.json"):
        (damaged,) = cache.rglob(name)
        os.truncate(damaged, damaged.stat().st_size // 2)
        assert not launched() and launched()
    shutil.rmtree(cache)
    cache.write_text("a file")
    assert not launched() and launched()
