"""Edited copies of real kernels: a test must reject those that are wrong."""

import importlib
import inspect
import re
from importlib.util import resolve_name
from types import ModuleType
from typing import Any

import pytest

from packtrain.kernels.common import source_cache


def edited(module: ModuleType, old: str, new: str) -> ModuleType:
    """A copy of `module` in which `old`, which it must hold, is `new`."""
    source = inspect.getsource(module)
    assert old in source, f"{module.__name__} has no {old!r} to edit"
    return source_cache.load(importable(source.replace(old, new), module))


def importable(source: str, module: ModuleType) -> str:
    """The source of `module`, its imports as they are written in a file that is in no package."""
    return re.sub(
        r"^(\s*from )(\.+[\w.]*)", lambda m: m[1] + resolve_name(m[2], module.__package__), source, flags=re.M
    )


def use(monkeypatch: pytest.MonkeyPatch, user: ModuleType, name: str, old: str, new: str) -> None:
    """Lets `user` launch an edited copy of its kernel `name`, autotuned if the original is."""
    kernel: Any = getattr(user, name)
    plain = kernel.fn if hasattr(kernel, "configs") else kernel
    module = importlib.import_module(plain.fn.__module__)
    copy = getattr(edited(module, old, new), plain.fn.__name__)
    if hasattr(kernel, "configs"):
        monkeypatch.setattr(kernel, "fn", copy)
    else:
        monkeypatch.setattr(user, name, copy)
