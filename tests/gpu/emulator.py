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
    """What is launched runs here; `architecture` is 80 or 90."""

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
    """In place of a GPU, and of Triton's interpreter: tensors on the CPU are taken."""
    gpu.architecture = architecture
    launch.INTERPRETED = True
    launch.is_hopper = lambda _: gpu.architecture >= 90
    setattr(JITFunction, "run", launch_kernel)  # noqa: B010 (pyright compares signatures)
    setattr(Autotuner, "run", _first_choice)  # noqa: B010


def _first_choice(tuner: Any, *args: Any, **options: Any) -> None:
    tuner.nargs = dict(zip(tuner.arg_names, args, strict=False))
    tuner.fn.run(*args, **options, **tuner.prune_configs(options)[0].all_kwargs())


def launch_kernel(kernel: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
    """In place of JITFunction.run."""
    made = specialized(kernel, args, options)
    code = _compiled(made)
    arena = Arena([value for value, _ in made.arguments if isinstance(value, Tensor)], code.module.tables)
    parameters = [_parameter(value, kind, arena, code.threads) for value, kind in made.arguments]
    parameters += [np.zeros(code.threads, "u8")] * 2  # Triton's own scratch memory
    machine.run(Launch(code.module, grid[0], code.threads, code.shared, arena), parameters)
    arena.take_back()


def _compiled(made: Specialized) -> Code:
    key = f"{made.name} {gpu.architecture}"
    if key not in compiled:
        found = made.compiled(gpu.architecture)
        compiled[key] = Code(parse(found.asm["ptx"]), WARP * found.metadata.num_warps, found.metadata.shared)
    return compiled[key]


def _parameter(value: Any, kind: str, arena: Arena, threads: int) -> Array:
    if isinstance(value, Tensor):
        return np.full(threads, arena.address(value), "u8")
    bits = np.full(threads, value, NUMBERS[kind])
    return bits.view(f"u{bits.itemsize}")
