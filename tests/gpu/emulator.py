"""Launches of Triton's kernels without a GPU: compiled for one, and run from their PTX."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction

from packtrain.kernels.common import launch
from tests.gpu import machine
from tests.gpu.memory import WARP, Arena, Array
from tests.gpu.program import Launch
from tests.gpu.text import Module, parse
from tests.specialized import Specialized, specialized

NUMBERS = {"i32": "i4", "i64": "i8", "fp32": "f4", "fp64": "f8"}


@dataclass
class GPU:
    """The GPU that launches are emulated on: its `architecture` is 80 or 90."""

    architecture: int = 90


gpu = GPU()


@dataclass(frozen=True)
class Code:
    """A compiled kernel."""

    module: Module
    threads: int
    shared: int


compiled: dict[str, Code] = {}


def install(architecture: int) -> None:
    """Puts the emulator in place of a GPU: kernels then take tensors of the CPU."""
    gpu.architecture = architecture
    launch.INTERPRETED = True
    launch.has_tensor_descriptors = lambda _: gpu.architecture >= 90
    setattr(JITFunction, "run", launch_kernel)  # noqa: B010 (pyright compares signatures)
    setattr(Autotuner, "run", _first_choice)  # noqa: B010


def _first_choice(tuner: Any, *args: Any, **options: Any) -> None:
    tuner.nargs = dict(zip(tuner.arg_names, args, strict=False))
    tuner.fn.run(*args, **options, **tuner.prune_configs(options)[0].all_kwargs())


def launch_kernel(kernel: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
    """In place of JITFunction.run: compiles the kernel, and runs its PTX. Raises Fault: see machine.run."""
    special = specialized(kernel, args, options)
    code = _compiled(special)
    arena = Arena([value for value, _ in special.arguments if isinstance(value, Tensor)], code.module.tables)
    parameters = [_parameter(value, kind, arena, code.threads) for value, kind in special.arguments]
    parameters += [np.zeros(code.threads, "u8")] * 2  # Triton's own scratch memory
    (programs,) = grid  # of one axis
    machine.run(Launch(code.module, programs, code.threads, code.shared, arena), parameters)
    arena.take_back()


def _compiled(special: Specialized) -> Code:
    key = f"{special.name} {gpu.architecture}"
    if key not in compiled:
        kernel = special.compiled(gpu.architecture)
        about = kernel.metadata
        compiled[key] = Code(parse(kernel.asm["ptx"]), WARP * about.num_warps, about.shared)
    return compiled[key]


def _parameter(value: Any, kind: str, arena: Arena, threads: int) -> Array:
    if isinstance(value, Tensor):
        return np.full(threads, arena.address(value), "u8")
    bits = np.full(threads, value, NUMBERS[kind])
    return bits.view(f"u{bits.itemsize}")
