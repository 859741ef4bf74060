"""Launches of Triton's kernels without a GPU: compiled for one, and run from their PTX."""

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction, mangle_type

from kernels import launch
from tests.ptx import machine
from tests.ptx.memory import WARP, Arena, Array
from tests.ptx.program import Launch
from tests.ptx.text import Module, parse

HOW = ("num_warps", "num_stages", "maxnreg", "enable_fp_fusion")
NUMBERS = {"i32": "i4", "i64": "i8", "fp32": "f4", "fp64": "f8"}


@dataclass
class GPU:
    """What is launched runs here; `architecture` is 80 or 90."""

    architecture: int = 90
    issued: int = 0  # instructions of warps, of all launches


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
    named = {name: value for name, value in options.items() if name in kernel.arg_names}
    given = inspect.signature(kernel.fn).bind(*args, **named).arguments
    plain = [parameter for parameter in kernel.params if not parameter.is_constexpr]
    signature = {each.name: "constexpr" for each in kernel.params}
    signature |= {each.name: mangle_type(given[each.name]) for each in plain}
    code = _compiled(kernel, signature, given, {name: options[name] for name in HOW if name in options})
    values = [given[each.name] for each in plain]
    arena = Arena([value for value in values if isinstance(value, Tensor)], code.module.tables)
    parameters = [
        _parameter(value, signature[each.name], arena, code.threads)
        for value, each in zip(values, plain, strict=True)
    ]
    parameters += [np.zeros(code.threads, "u8")] * 2  # Triton's own scratch memory
    gpu.issued += machine.run(Launch(code.module, grid[0], code.threads, code.shared, arena), parameters)
    arena.take_back()


def _compiled(kernel: Any, signature: dict[str, str], given: Any, how: dict[str, Any]) -> Code:
    """The kernel for such arguments, as Triton would compile it for its launch."""
    constants = {name: given[name] for name, kind in signature.items() if kind == "constexpr"}
    attributes = {
        (place,): [["tt.divisibility", 16]]
        for place, each in enumerate(kernel.params)
        if not each.is_constexpr and _divisible(given[each.name], each)
    }
    what = f"{kernel.fn.__module__}.{kernel.fn.__name__} {signature} {constants} {attributes}"
    key = f"{what} {how} {gpu.architecture}"
    if key not in compiled:
        source, target = (
            ASTSource(kernel, signature, constants, attributes),
            GPUTarget("cuda", gpu.architecture, 32),
        )
        made = triton.compile(source, target, how)
        compiled[key] = Code(parse(made.asm["ptx"]), WARP * made.metadata.num_warps, made.metadata.shared)
    return compiled[key]


def _divisible(value: Any, parameter: Any) -> bool:
    if isinstance(value, Tensor):
        return value.data_ptr() % 16 == 0
    return not parameter.do_not_specialize and value % 16 == 0


def _parameter(value: Any, kind: str, arena: Arena, threads: int) -> Array:
    if isinstance(value, Tensor):
        return np.full(threads, arena.address(value), "u8")
    bits = np.full(threads, value, NUMBERS[kind])
    return bits.view(f"u{bits.itemsize}")
