"""Triton's cache: what is damaged is compiled again, and where it can't be written nothing is kept."""

import ast
import errno
import importlib
import inspect
import os
import shutil
from pathlib import Path

import pytest
import torch
import triton
from triton import knobs
from triton.runtime.cache import FileCacheManager, get_cache_manager

from packtrain.kernels.common import launch, source_cache, triton_cache
from tests.kernels.common.test_kept import DAMAGES

KEY = "ab" * 32


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Triton's folder, not yet there."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    monkeypatch.setattr(source_cache, "_reasons", {})
    return tmp_path / "triton"


def put() -> dict[str, str]:
    with triton_cache.cached():
        manager = get_cache_manager(KEY)
        group = {
            name: manager.put(data, name)
            for name, data in (("k.cubin", bytes(range(99))), ("k.json", "{}" * 40))
        }
        manager.put_group("k.json", group)
    return group


def get() -> dict[str, str] | None:
    with triton_cache.cached():
        return get_cache_manager(KEY).get_group("k.json")


# What the cache, and the tests' interpreter and emulator, override or replace inside Triton, which promises
# none of it: module -> name -> parameters.
PATCHED: dict[str, dict[str, str]] = {
    "triton.runtime.cache": {
        "FileCacheManager.__init__": "self, key, override, dump",
        "FileCacheManager.get_file": "self, filename",
        "FileCacheManager.get_group": "self, filename",
        "FileCacheManager.put": "self, data, filename, binary",
        "FileCacheManager.put_group": "self, filename, group",
    },
    "triton.runtime.interpreter": {
        "_get_np_dtype": "tt_dtype",
        "_patch_lang": "fn",
        "InterpreterBuilder.create_dot": "self, a, b, d, input_precision, max_num_imprecise_acc",
        "InterpreterBuilder.cast_impl": "self, src, dst_type",
        "GridExecutor.__call__": "self, *args_dev, **kwargs",
        "InterpretedFunction.__call__": "self, *args, **kwargs",
        "InterpretedFunction.rewrite": "self",
    },
    "triton.runtime.jit": {"JITFunction.run": "self, *args, grid, warmup, **kwargs"},
    "triton.runtime.autotuner": {
        "Autotuner.run": "self, *args, **kwargs",
        "Autotuner.prune_configs": "self, kwargs",
    },
}


def parameters(module: str) -> dict[str, str]:
    """Function or Class.method -> its parameters, as the module's file has them, patched or not."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    owners = [("", tree), *((f"{part.name}.", part) for part in tree.body if isinstance(part, ast.ClassDef))]
    return {
        f"{prefix}{part.name}": _bare(part.args)
        for prefix, owner in owners
        for part in owner.body
        if isinstance(part, ast.FunctionDef)
    }


def _bare(arguments: ast.arguments) -> str:
    """Without types and defaults."""
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    arguments.defaults, arguments.kw_defaults = [], [None] * len(arguments.kwonlyargs)
    return ast.unparse(arguments)


def differences(patched: dict[str, dict[str, str]]) -> list[str]:
    """A sentence for each part of the Triton that is installed that isn't as it is patched."""
    inside = {module: parameters(module) for module in patched}
    return [
        f"Triton {triton.__version__}: {module}.{name} takes ({inside[module].get(name, 'nothing: gone')}), "
        f"and kernels/common/triton_cache.py or the tests' interpreter or emulator needs ({expected})"
        for module, names in patched.items()
        for name, expected in names.items()
        if inside[module].get(name) != expected
    ]


def test_what_is_patched_inside_triton_is_as_expected() -> None:
    assert not differences(PATCHED)
    assert knobs.cache.manager_class is None


@pytest.mark.parametrize("name", ["FileCacheManager.put", "FileCacheManager.put_all"])
def test_a_triton_that_is_another_inside_is_told_in_a_sentence(name: str) -> None:
    (sentence,) = differences({"triton.runtime.cache": {name: "self, data"}})
    takes = "(self, data, filename, binary)" if name.endswith("put") else "(nothing: gone)"
    assert f"triton.runtime.cache.{name} takes {takes}" in sentence and "needs (self, data)" in sentence


def test_what_was_put_is_found(cache: Path) -> None:
    assert get() is None
    group = put()
    assert get() == group and group.keys() == {"k.cubin", "k.json"}
    assert Path(group["k.json"]).read_text() == "{}" * 40
    with triton_cache.cached():
        assert get_cache_manager(KEY).get_file("k.json") == group["k.json"]
        assert get_cache_manager(KEY).get_file("other") is None
    assert source_cache.untold() == ""


def test_what_is_damaged_is_as_if_it_were_not_there(cache: Path) -> None:
    put()
    names = [path for path in cache.rglob("*") if path.is_file()]
    assert len(names) == 6  # a binary, a text, their group, and a seal of each
    for name in names:
        content = name.read_bytes()
        for damage in DAMAGES.values():
            name.write_bytes(damage(content))
            assert get() is None
            name.write_bytes(content)
        name.unlink()
        assert get() is None
        assert put() == get()


def test_where_nothing_can_be_written_a_folder_serves_that_ends_with_the_process(cache: Path) -> None:
    cache.write_text("mine")
    group = put()
    assert not any(Path(path).is_relative_to(cache) for path in group.values())
    assert source_cache.untold().startswith(f"can't write the cache {cache}")
    assert get() == group and cache.read_text() == "mine"
    triton_cache._temporary().cleanup()
    triton_cache._temporary.cache_clear()
    assert not any(Path(path).exists() for path in group.values())


def test_a_disk_that_fills_up_costs_what_is_put_then(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FileCacheManager.put

    def full(self: FileCacheManager, data: object, filename: str, binary: bool = True) -> str:
        if filename.endswith(triton_cache.SEAL) and Path(self.cache_dir).is_relative_to(cache):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, data, filename, binary)

    monkeypatch.setattr(FileCacheManager, "put", full)
    group = put()
    assert all(Path(path).exists() for path in group.values())
    assert "No space left on device; what is compiled is not kept" in source_cache.untold()
    assert get() is None


def test_what_is_set_is_set_back(cache: Path) -> None:
    with triton_cache.cached(), triton_cache.cached():
        assert knobs.cache.manager_class is triton_cache.Sealed
    assert knobs.cache.manager_class is None and "TRITON_CACHE_MANAGER" not in os.environ


def test_a_manager_of_the_users_own_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_MANAGER", "triton.runtime.cache:FileCacheManager")
    with triton_cache.cached():
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
