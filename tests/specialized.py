"""What Triton compiles for a launch: a kernel for arguments of such types and alignments."""

import inspect
from dataclasses import dataclass
from typing import Any

import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import mangle_type

OPTIONS = "num_warps", "num_stages", "maxnreg", "enable_fp_fusion"


@dataclass(frozen=True)
class Specialized:
    """A kernel to compile; `arguments` are (value, type) of those that it takes once compiled."""

    source: ASTSource
    options: dict[str, Any]
    arguments: list[tuple[Any, str]]
    name: str  # of all that decides what is compiled

    def compiled(self, architecture: int) -> Any:
        """Triton's kernel for sm_`architecture`."""
        return triton.compile(self.source, GPUTarget("cuda", architecture, 32), self.options)


def specialized(kernel: Any, args: Any, options: dict[str, Any]) -> Specialized:
    """The kernel as JITFunction.run compiles it when it is called so."""
    named = {name: value for name, value in options.items() if name in kernel.arg_names}
    values = inspect.signature(kernel.fn).bind(*args, **named).arguments
    constants = {p.name: values[p.name] for p in kernel.params if p.is_constexpr}
    plain = {p.name: mangle_type(values[p.name]) for p in kernel.params if not p.is_constexpr}
    signature = {p.name: plain.get(p.name, "constexpr") for p in kernel.params}
    divisible = [
        place for place, p in enumerate(kernel.params) if not p.is_constexpr and _divisible(values[p.name], p)
    ]
    attributes = {(place,): [["tt.divisibility", 16]] for place in divisible}
    how = {name: options[name] for name in OPTIONS if name in options}
    return Specialized(
        ASTSource(kernel, signature, constants, attributes),
        how,
        [(values[name], kind) for name, kind in plain.items()],
        f"{kernel.fn.__module__}.{kernel.fn.__name__} {signature} {constants} {divisible} {how}",
    )


def _divisible(value: Any, parameter: Any) -> bool:
    if isinstance(value, Tensor):
        return value.data_ptr() % 16 == 0
    return not parameter.do_not_specialize and value % 16 == 0
