"""LLVM IR -> machine code in this process, in milliseconds: what is compiled for one formula."""

from collections.abc import Mapping
from functools import cache
from itertools import count
from typing import Any

import llvmlite.binding as llvm
import torch

from . import compiling

KEPT = 256  # compiled formulas of each sort; what is in use stays, too
KINDS = {torch.float64: "double", torch.float32: "float"}  # the types of numbers in IR
EFFORT = 1  # of LLVM's passes before code is made: vectors are explicit, so the cheap ones find nearly all

_numbers = count()


class MachineCode:
    """The functions of one module, at `address[name]`, for as long as this object lives."""

    def __init__(self, library: Any, names: tuple[str, ...]) -> None:
        self.library = library
        self.address: Mapping[str, int] = {name: library[name] for name in names}


def compiled(source: str, *names: str) -> MachineCode:
    """The functions `names` of the module whose text in LLVM's IR is `source`.

    What the module declares and doesn't define is looked up in this process, as the functions of libm.

    >>> import ctypes
    >>> from packtrain.kernels.common.llvm import compiled
    >>> code = compiled("define double @twice(double %x) { %y = fadd double %x, %x ret double %y }", "twice")
    >>> ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(code.address["twice"])(21)
    42.0
    """
    with compiling.clock_stopped():
        builder = llvm.JITLibraryBuilder().add_object_img(_machine().emit_object(_optimized(source)))
        for name in names:
            builder.export_symbol(name)
        library = builder.add_current_process().link(_linker(), f"formula_{next(_numbers)}")
        return MachineCode(library, names)


def assembly(source: str) -> str:
    """The machine instructions of the module `source` on this processor.

    >>> from packtrain.kernels.common.llvm import assembly
    >>> "ret" in assembly("define i64 @one() { ret i64 1 }")
    True
    """
    return _machine().emit_assembly(_optimized(source))


def _optimized(source: str) -> Any:
    module = llvm.parse_assembly(source)
    passes = llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options(speed_level=EFFORT))
    passes.getModulePassManager().run(module, passes)
    return module


@cache
def _machine() -> Any:
    """Code for this processor and all that it can do: constants are near it, where instructions read them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=2, jit=True, codemodel="small"
    )


@cache
def _linker() -> Any:
    """It keeps code and constants of a module together."""
    return llvm.create_lljit_compiler(_machine(), use_jit_link=True, suppress_errors=True)
