"""Edited copies of real kernels: a test must reject those that are wrong."""

import importlib
import inspect
from types import ModuleType
from typing import Any

import pytest

from kernels import source_cache


def edited(module: ModuleType, old: str, new: str) -> ModuleType:
    """A copy of `module` in which `old`, which it must hold, is `new`."""
    source = inspect.getsource(module)
    assert old in source, f"{module.__name__} has no {old!r} to edit"
    return source_cache.load(source.replace(old, new))


def use(monkeypatch: pytest.MonkeyPatch, user: ModuleType, name: str, old: str, new: str) -> None:
    """Lets `user` launch an edited copy of its kernel `name`, autotuned if the original is."""
    kernel: Any = getattr(user, name)
    plain = kernel.fn if hasattr(kernel, "configs") else kernel
    home = importlib.import_module(plain.fn.__module__)
    copy = getattr(edited(home, old, new), plain.fn.__name__)
    if hasattr(kernel, "configs"):
        monkeypatch.setattr(kernel, "fn", copy)
    else:
        monkeypatch.setattr(user, name, copy)
