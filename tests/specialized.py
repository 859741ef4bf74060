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
    """`arguments` are those that the compiled kernel takes, each with its type."""

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
    given = inspect.signature(kernel.fn).bind(*args, **named).arguments
    constants = {each.name: given[each.name] for each in kernel.params if each.is_constexpr}
    plain = {each.name: mangle_type(given[each.name]) for each in kernel.params if not each.is_constexpr}
    signature = {each.name: plain.get(each.name, "constexpr") for each in kernel.params}
    divisible = [
        place
        for place, each in enumerate(kernel.params)
        if not each.is_constexpr and _divisible(given[each.name], each)
    ]
    attributes = {(place,): [["tt.divisibility", 16]] for place in divisible}
    how = {name: options[name] for name in OPTIONS if name in options}
    return Specialized(
        ASTSource(kernel, signature, constants, attributes),
        how,
        [(given[name], kind) for name, kind in plain.items()],
        f"{kernel.fn.__module__}.{kernel.fn.__name__} {signature} {constants} {divisible} {how}",
    )


def _divisible(value: Any, parameter: Any) -> bool:
    if isinstance(value, Tensor):
        return value.data_ptr() % 16 == 0
    return not parameter.do_not_specialize and value % 16 == 0
