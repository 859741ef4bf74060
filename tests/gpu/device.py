"""An imagined CUDA device: its tensors say that they are on cuda:0, and compute on the CPU.

They refuse what CUDA refuses: to be combined with tensors of the CPU, to be read by NumPy, and to be waited
for while a graph is captured.
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
    """The `work` of one thread that a graph repeats; where `strict`, no other may wait for the device."""

    strict: bool
    thread: int = field(default_factory=threading.get_ident)
    work: list[Callable[[], object]] = field(default_factory=list)


capture: Capture | None = None
inside = 0  # how many operators are running on the CPU's tensors: they may launch kernels on them


def note(work: Callable[[], object]) -> None:
    """Adds to the graph that is being captured."""
    if capture is not None and capture.thread == threading.get_ident() and not inside:
        capture.work.append(work)


def wait(what: str) -> None:
    """Raises RuntimeError where a graph is being captured."""
    if capture is not None and (capture.strict or capture.thread == threading.get_ident()):
        raise RuntimeError(f"operation not permitted when stream is capturing: {what}")


def bare(values: Any) -> Any:
    """`values` with the CPU's tensors in place of ours."""
    return tree_map_only(Imagined, lambda tensor: tensor.bare, values)


class Imagined(Tensor):
    """A tensor on the imagined device; `bare` is the CPU's tensor that holds its numbers."""

    bare: Tensor
    device = property(lambda _: CUDA)  # pyright: ignore[reportAssignmentType]
    is_cuda = property(lambda _: True)  # pyright: ignore[reportAssignmentType]
    is_cpu = property(lambda _: False)  # pyright: ignore[reportAssignmentType]

    @staticmethod
    def __new__(cls: type, numbers: Tensor) -> "Imagined":
        tensor = Tensor._make_wrapper_subclass(
            cls, numbers.size(), strides=numbers.stride(), storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype, layout=numbers.layout, device=CPU,
        )  # fmt: skip
        tensor.bare = numbers
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return execute(func, args, kwargs or {})

    def __getitem__(self, index: Any) -> Tensor:
        with _disable_current_modes():
            part = Imagined(self.bare.detach()[bare(index)])
        note(lambda: part.bare.copy_(self.bare[bare(index)]))
        return part

    def __setitem__(self, index: Any, value: Any) -> None:
        with _disable_current_modes():
            self.bare[bare(index)] = bare(value)
        note(lambda: self.bare.__setitem__(bare(index), bare(value)))

    def cpu(self, *_: Any, **__: Any) -> Tensor:
        """A copy on the CPU. Raises RuntimeError during a capture."""
        wait("cpu")
        with _disable_current_modes():
            return self.bare.detach().clone()

    def to(self, *args: Any, **options: Any) -> Tensor:
        """In another dtype, or on the CPU."""
        device, dtype, *_ = _nn._parse_to(*args, **{k: v for k, v in options.items() if k != "copy"})
        changed = self if dtype in (None, self.dtype) else torch.ops.aten._to_copy(self, dtype=dtype)
        return changed.cpu() if device is not None and device.type == "cpu" else changed

    def tolist(self) -> Any:
        """Its numbers. Raises RuntimeError during a capture."""
        wait("tolist")
        return self.bare.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        """Raises TypeError, as CUDA's tensors do."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    __array__ = numpy

    def data_ptr(self) -> int:
        """Where its numbers are on the CPU."""
        return self.bare.data_ptr()

    def untyped_storage(self) -> Any:
        """The memory behind its numbers on the CPU."""
        return self.bare.untyped_storage()

    def __repr__(self, **_: Any) -> str:
        return f"Imagined({self.bare!r})"


def execute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Runs an operator, torch's or ours, on the CPU's tensors. Raises RuntimeError where CUDA would."""
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
    operands, options = bare(args), bare(kwargs) | ({"device": CPU} if device is not None else {})
    result = _on_cpu(func, operands, options)
    old = {id(tensor.bare): tensor for tensor in ours}
    first = _tensors(result)
    note(lambda: _repeat(func, operands, options, first))
    if target.type == "cpu":
        return result
    return tree_map_only(Tensor, lambda t: old[id(t)] if id(t) in old else Imagined(t), result)


def _on_cpu(func: Any, args: Any, options: dict[str, Any]) -> Any:
    global inside
    inside += 1
    try:
        return func(*args, **options)
    finally:
        inside -= 1


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _repeat(func: Any, args: Any, options: dict[str, Any], results: list[Tensor]) -> None:
    """Runs it once more, into the memory of its first `results`."""
    for old, new in zip(results, _tensors(_on_cpu(func, args, options)), strict=True):
        if old.data_ptr() != new.data_ptr():
            old.copy_(new)


class Everywhere(TorchDispatchMode):
    """Makes tensors that are created on cuda ours."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        wanted = options.get("device")
        ours = any(isinstance(leaf, Imagined) for leaf in tree_leaves((args, options)))
        if ours or (wanted is not None and torch.device(wanted).type == "cuda"):
            return execute(func, args, options)
        return func(*args, **options)


class Stream:
    """All streams are one."""

    def __init__(self, *_: Any) -> None: ...

    def wait_stream(self, other: "Stream") -> None:
        """Does nothing."""


class Event:
    """A moment of the clock."""

    def __init__(self, **_: Any) -> None: ...

    def record(self) -> None:
        """Notes the time."""
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        """Raises RuntimeError during a capture."""
        wait("synchronize")

    def elapsed_time(self, later: "Event") -> float:
        """Milliseconds up to a later event."""
        return 1000 * (later.at - self.at)


class Graph:
    """Repeats what was captured. Capturing has run it once already, so the first replay does nothing."""

    work: list[Callable[[], object]]
    done = True

    def replay(self) -> None:
        """Runs the captured work, but the first time."""
        done, self.done = self.done, False
        for work in [] if done else self.work:
            work()


@contextlib.contextmanager
def captured(graph: Graph, stream: Any = None, capture_error_mode: str = "global") -> Iterator[None]:
    """In place of torch.cuda.graph."""
    global capture
    capture = Capture(strict=capture_error_mode == "global")
    try:
        yield
        graph.work = capture.work
    finally:
        capture = None


def launched(kernel: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
    """In place of JITFunction.run: emulates the launch. Raises ValueError at a tensor of the CPU."""
    for value in (*args, *options.values()):
        if isinstance(value, Tensor) and not isinstance(value, Imagined) and not inside:
            raise ValueError("Pointer argument cannot be accessed from Triton (cpu tensor?)")
    operands, named = bare(args), bare(options)

    def work() -> None:
        emulator.launch_kernel(kernel, *operands, grid=grid, warmup=warmup, **named)

    work()
    note(work)


def imagine(monkeypatch: pytest.MonkeyPatch) -> TorchDispatchMode:
    """Puts the device into torch and Triton -> a mode, inside which tensors can be on it."""
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
    """torch.tensor or as_tensor, which move their result to the device in a way that no mode sees."""

    def making(*args: Any, device: Any = None, **options: Any) -> Tensor:
        tensor = make(*args, **options)
        return tensor if device is None else torch.ops.aten._to_copy(tensor, device=torch.device(device))

    return making
