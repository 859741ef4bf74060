"""An imagined CUDA device: its tensors say that they are on cuda:0, and compute on the CPU.

They refuse what CUDA refuses: to meet tensors of the CPU, to be read by NumPy, and to be waited for while
a graph is captured.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._C import _nn  # pyright: ignore[reportAttributeAccessIssue] (it has no stub)
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only

from tests.gpu import emulator

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
MAY_MIX = {"_to_copy", "copy_", "index", "index_put_"}  # with tensors of the CPU
PROPERTIES = SimpleNamespace(
    name="imagined GPU", major=9, minor=0, multi_processor_count=132, total_memory=140 << 30,
    shared_memory_per_block_optin=227 << 10,
)  # fmt: skip


@dataclass
class Capture:
    """What a graph repeats, `work` of one thread; if `strict`, no other may wait for the device meanwhile."""

    strict: bool
    thread: int = field(default_factory=threading.get_ident)
    work: list[Callable[[], object]] = field(default_factory=list)


capture: Capture | None = None
inside = 0  # operators of ours, which launch kernels on the CPU's tensors


def note(work: Callable[[], object]) -> None:
    """Adds to the graph that is being captured."""
    if capture is not None and capture.thread == threading.get_ident() and not inside:
        capture.work.append(work)


def wait(what: str) -> None:
    """Raises RuntimeError where a graph is being captured."""
    if capture is not None and (capture.strict or capture.thread == threading.get_ident()):
        raise RuntimeError(f"operation not permitted when stream is capturing: {what}")


def bare(given: Any) -> Any:
    """With the CPU's tensors in place of ours."""
    return tree_map_only(Imagined, lambda tensor: tensor.bare, given)


class Imagined(Tensor):
    """A tensor on the imagined device; `bare` is that of the CPU which holds its numbers."""

    bare: Tensor
    device = property(lambda _: CUDA)  # pyright: ignore[reportAssignmentType]
    is_cuda = property(lambda _: True)  # pyright: ignore[reportAssignmentType]
    is_cpu = property(lambda _: False)  # pyright: ignore[reportAssignmentType]

    @staticmethod
    def __new__(cls: type, numbers: Tensor) -> "Imagined":
        made = Tensor._make_wrapper_subclass(
            cls, numbers.size(), strides=numbers.stride(), storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype, layout=numbers.layout, device=CPU,
        )  # fmt: skip
        made.bare = numbers
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return execute(func, args, kwargs or {})

    def __getitem__(self, index: Any) -> Tensor:
        with _disable_current_modes():
            found = Imagined(self.bare.detach()[bare(index)])
        note(lambda: found.bare.copy_(self.bare[bare(index)]))
        return found

    def __setitem__(self, index: Any, value: Any) -> None:
        with _disable_current_modes():
            self.bare[bare(index)] = bare(value)
        note(lambda: self.bare.__setitem__(bare(index), bare(value)))

    def cpu(self, *_: Any, **__: Any) -> Tensor:
        wait("cpu")
        with _disable_current_modes():
            return self.bare.detach().clone()

    def to(self, *args: Any, **options: Any) -> Tensor:
        device, dtype, *_ = _nn._parse_to(*args, **{k: v for k, v in options.items() if k != "copy"})
        changed = self if dtype in (None, self.dtype) else torch.ops.aten._to_copy(self, dtype=dtype)
        return changed.cpu() if device is not None and device.type == "cpu" else changed

    def tolist(self) -> Any:
        wait("tolist")
        return self.bare.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    __array__ = numpy

    def data_ptr(self) -> int:
        return self.bare.data_ptr()

    def untyped_storage(self) -> Any:
        return self.bare.untyped_storage()

    def __repr__(self, **_: Any) -> str:
        return f"Imagined({self.bare!r})"


def execute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operator of torch or of ours, on the CPU's tensors. Raises RuntimeError where CUDA would."""
    name = func._schema.name.partition("::")[2]
    leaves = tree_leaves((args, kwargs))
    ours = [leaf for leaf in leaves if isinstance(leaf, Imagined)]
    others = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, Imagined)]
    if ours and name not in MAY_MIX and any(other.dim() for other in others):
        raise RuntimeError(f"expected all tensors on the same device, found cuda:0 and cpu: {func}")
    if name == "index" and ours and not isinstance(args[0], Imagined):
        raise RuntimeError("indices should be on the same device as the indexed tensor (cpu)")
    if name == "_local_scalar_dense" or (ours and others and name == "copy_"):
        wait(name)
    device = kwargs.get("device")
    target = CUDA if device is None and ours else torch.device(device or "cpu")
    given, options = bare(args), bare(kwargs) | ({"device": CPU} if device is not None else {})
    found = _on_cpu(func, given, options)
    old = {id(each.bare): each for each in ours}
    results = [leaf for leaf in tree_leaves(found) if isinstance(leaf, Tensor)]
    note(lambda: _repeat(func, given, options, results))
    if target.type == "cpu":
        return found
    return tree_map_only(Tensor, lambda each: old[id(each)] if id(each) in old else Imagined(each), found)


def _on_cpu(func: Any, args: Any, options: dict[str, Any]) -> Any:
    global inside
    inside += 1
    try:
        return func(*args, **options)
    finally:
        inside -= 1


def _repeat(func: Any, args: Any, options: dict[str, Any], results: list[Tensor]) -> None:
    """Once more, into the memory that it wrote the first time."""
    found = [leaf for leaf in tree_leaves(_on_cpu(func, args, options)) if isinstance(leaf, Tensor)]
    for old, new in zip(results, found, strict=True):
        if old.data_ptr() != new.data_ptr():
            old.copy_(new)


class Everywhere(TorchDispatchMode):
    """Tensors that are made on cuda are ours."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        asked = options.get("device")
        ours = any(isinstance(leaf, Imagined) for leaf in tree_leaves((args, options)))
        if ours or (asked is not None and torch.device(asked).type == "cuda"):
            return execute(func, args, options)
        return func(*args, **options)


class Stream:
    """All streams are one."""

    def __init__(self, *_: Any) -> None: ...

    def wait_stream(self, other: "Stream") -> None: ...


class Event:
    """A moment of the clock."""

    def __init__(self, **_: Any) -> None: ...

    def record(self) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        wait("synchronize")

    def elapsed_time(self, later: "Event") -> float:
        return 1000 * (later.at - self.at)


class Graph:
    """Repeats what was captured. Capturing has done it once, so the first replay has nothing left to do."""

    work: list[Callable[[], object]]
    done = True

    def replay(self) -> None:
        done, self.done = self.done, False
        for work in [] if done else self.work:
            work()


@contextlib.contextmanager
def captured(graph: Graph, stream: Any = None, capture_error_mode: str = "global") -> Iterator[None]:
    global capture
    capture = Capture(strict=capture_error_mode == "global")
    try:
        yield
        graph.work = capture.work
    finally:
        capture = None


def launched(kernel: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
    """In place of JITFunction.run."""
    for value in (*args, *options.values()):
        if isinstance(value, Tensor) and not isinstance(value, Imagined) and not inside:
            raise ValueError("Pointer argument cannot be accessed from Triton (cpu tensor?)")
    given, named = bare(args), bare(options)

    def work() -> None:
        emulator.launch_kernel(kernel, *given, grid=grid, warmup=warmup, **named)

    work()
    note(work)


def imagine(monkeypatch: pytest.MonkeyPatch) -> TorchDispatchMode:
    """Puts the device into torch and Triton; inside of the mode that is returned, tensors can be on it."""
    for name, stand_in in {
        "is_available": lambda: True, "device_count": lambda: 1, "set_device": lambda _: None,
        "get_device_name": lambda _=None: PROPERTIES.name, "get_device_properties": lambda _=None: PROPERTIES,
        "get_device_capability": lambda _=None: (PROPERTIES.major, PROPERTIES.minor),
        "synchronize": lambda _=None: wait("synchronize"), "current_stream": lambda _=None: Stream(),
        "stream": lambda _: contextlib.nullcontext(), "device": lambda _: contextlib.nullcontext(),
        "mem_get_info": lambda _=None: (PROPERTIES.total_memory,) * 2, "_lazy_init": lambda: None,
        "Stream": Stream, "Event": Event, "CUDAGraph": Graph, "graph": captured,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
    for name in ("tensor", "as_tensor"):
        monkeypatch.setattr(torch, name, _making(getattr(torch, name)))
    monkeypatch.setattr(emulator.JITFunction, "run", launched)
    return Everywhere()


def _making(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """torch.tensor moves to the device what it makes by ways that no mode sees."""

    def made(*args: Any, device: Any = None, **options: Any) -> Tensor:
        made = make(*args, **options)
        return made if device is None else torch.ops.aten._to_copy(made, device=torch.device(device))

    return made
