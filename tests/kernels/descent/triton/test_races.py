"""Threads of a fused training that don't wait for one another: only an emulated GPU shows it."""

import inspect
from types import ModuleType
from typing import Any

import pytest
import torch

from packtrain.kernels.common import source_cache
from packtrain.kernels.descent.triton import descent as triton_descent
from packtrain.kernels.descent.triton import kernel as triton_kernel
from packtrain.kernels.descent.triton import layers as triton_layers
from packtrain.kernels.descent.triton import wide as triton_wide
from tests.gpu.memory import Fault
from tests.kernels import edited
from tests.kernels.descent.trainings import by_triton
from tests.kernels.descent.triton import test_descent as test_triton
from tests.kernels.descent.triton import test_layers as test_triton_layers

pytestmark = pytest.mark.only_emulated

BARRIER = "tl.debug_barrier()"
EVERY = range(inspect.getsource(triton_kernel).count(BARRIER))


def without(module: ModuleType, number: int) -> ModuleType:
    """A copy of `module` that lacks one of its barriers."""
    parts = inspect.getsource(module).split(BARRIER)
    source = BARRIER.join(parts[: number + 1]) + "pass" + BARRIER.join(parts[number + 1 :])
    return source_cache.load(edited.importable(source, module))


@pytest.mark.parametrize("number", EVERY)
def test_each_barrier_of_a_step_is_needed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = test_triton.training(size=300, batch=256, runs=1, steps=(2,))
    by_triton(given, torch.float32)
    copy = without(triton_kernel, number)
    monkeypatch.setattr(triton_descent, "advance_kernel", copy.advance_kernel)
    with pytest.raises(Fault, match="no barrier is between"):
        by_triton(given, torch.float32)


@pytest.mark.parametrize(
    ("module", "number", "given"),
    [
        (triton_layers, 0, {"widths": (2, 7, 3)}),
        (triton_wide, 1, {"widths": (2, 5, 2), "itemsize": 8}),
        (triton_wide, 5, {"widths": (2, 5, 2), "itemsize": 8, "order": "own", "size": 20, "batch": 15}),
        (triton_wide, 10, {"widths": (2, 5, 2), "itemsize": 8}),
        (triton_wide, 11, {"widths": (2, 5, 2), "itemsize": 8}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_barriers_of_perceptrons_are_needed(
    module: ModuleType, number: int, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the compiler doesn't set by itself; where others are missing, it does."""
    monkeypatch.setattr(triton_descent, "BLOCKS_A_CHUNK", 2)
    sizes = {"size": 150, "batch": 140, "runs": 1, "steps": (2,)}
    widths = given.pop("widths")
    whole = test_triton_layers.training(*widths, **sizes | given)
    by_triton(whole)
    with pytest.raises(Fault, match="no barrier is between"):
        by_triton(whole.edited(module.__name__, without(module, number).__name__))


def test_a_product_is_rounded_before_it_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the threads that have the same sum of it differ in its last digit."""
    given = test_triton_layers.training(
        2, 10, 2, loss="cross_entropy", size=300, batch=280, runs=1, steps=(2,)
    )
    by_triton(given, torch.float32)
    copy = edited.edited(triton_layers, "return tl.fma(a, b, tl.zeros(a.shape, a.dtype))", "return a * b")
    with pytest.raises(Fault, match="writes something else than another thread"):
        by_triton(given.edited(triton_layers.__name__, copy.__name__), torch.float32)
