"""Functions of vectors, of NumPy's arrays: to try, test and measure them."""

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from ..common.llvm import MachineCode, compiled
from .loop import LANES
from .routine import Routine
from .vector import Module, Vector

KINDS = {"float64": ("double", LANES["double"]), "float32": ("float", LANES["float"])}  # dtype -> kind, lanes


def of_arrays(
    function: Callable[..., Vector], *arrays: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """function(*arrays), element by element: arrays of one shape and of one dtype, float64 or float32.

    `out`, if given, takes the result: of their shape and dtype, and like them contiguous.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x, y: x * y + 1, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([4., 9.])
    """
    kind, lanes = KINDS[arrays[0].dtype.name]
    arrays = tuple(np.ascontiguousarray(array) for array in arrays)
    out = np.empty_like(arrays[0]) if out is None else out
    call = _calling(_code(function, len(arrays), kind, lanes))
    whole = out.size - out.size % lanes
    call(whole, *arrays, out)
    if whole < out.size:
        ends = [np.resize(array.ravel()[whole:], lanes) for array in arrays]
        call(lanes, *ends, end := np.empty(lanes, out.dtype))
        out.ravel()[whole:] = end[: out.size - whole]
    return out


def source(function: Callable[..., Vector], arguments: int, kind: str, lanes: int) -> str:
    """The module whose function loop(size, x0, x1, ..., y) writes function(x0, x1, ...) to y; `size` a
    multiple of `lanes`.

    >>> from packtrain.kernels.functions.arrays import source
    >>> "fmul <8 x double>" in source(lambda x: x * x, 1, "double", 8)
    True
    """
    routine = Routine(Module())
    with routine.loop("%size", lanes) as n:
        values = [routine.body.load(routine.at(f"%x{i}", kind, n), kind, lanes) for i in range(arguments)]
        routine.body.store(function(*values), routine.at("%y", kind, n))
    pointers = ", ".join(f"ptr noalias %x{i}" for i in range(arguments))
    routine.define("loop", f"i64 %size, {pointers}, ptr noalias %y")
    return routine.body.module.text()


@cache
def _code(function: Callable[..., Vector], arguments: int, kind: str, lanes: int) -> MachineCode:
    return compiled(source(function, arguments, kind, lanes), "loop")


def _calling(code: MachineCode) -> Callable[..., None]:
    def call(size: int, *arrays: np.ndarray) -> None:
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * len(arrays))
        prototype(code.address["loop"])(size, *pointers)

    return call
