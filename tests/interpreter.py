"""What Triton's interpreter lacks: libdevice, and bfloat16's products and rounding."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import triton.language as tl
from scipy import special
from triton.language.extra import libdevice
from triton.runtime import interpreter
from triton.runtime.interpreter import GridExecutor, InterpretedFunction, InterpreterBuilder, TensorHandle

NUMPY: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(np, name) for name in ("expm1", "log1p", "log10", "log2", "cbrt", "tan", "sinh", "cosh")
    },
    **{name: getattr(np, name) for name in ("tanh", "hypot", "fmod", "rint")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan", "tan2")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sinh", "cosh", "tanh")},
    **{name: getattr(special, name) for name in ("erf", "erfc", "erfcx", "j0", "j1")},
    "lgamma": special.gammaln,
    "sinpi": lambda x: np.sin(np.pi * (x - 2 * np.round(x / 2))),
    "pow": np.power,
}

COLUMNS = 1024  # of a program that adds parts: interpreted, each program takes long, however little it does


def _by_numpy(function: Callable[..., Any]) -> Callable[..., tl.tensor]:
    def apply(*args: tl.tensor) -> tl.tensor:
        data = function(*(arg.handle.data for arg in args))
        largest = max(args, key=lambda arg: arg.handle.data.size)
        handle: Any = TensorHandle(data, largest.handle.dtype)
        return tl.tensor(handle, largest.type)  # pyright: ignore[reportArgumentType]

    return apply


def _float32(operand: TensorHandle) -> Any:
    """The numbers of an operand; the interpreter stores bfloat16 as bits."""
    if operand.dtype.scalar is tl.bfloat16:
        return (operand.data.astype(np.uint32) << 16).view(np.float32)
    return operand.data


def _dot(self: Any, a: TensorHandle, b: TensorHandle, d: TensorHandle, *_: Any) -> TensorHandle:
    product = np.matmul(_float32(a), _float32(b), dtype=d.data.dtype)
    return TensorHandle(product + d.data, d.dtype.scalar)


_cast = InterpreterBuilder.cast_impl


def _rounding_cast(self: Any, operand: TensorHandle, target: Any) -> TensorHandle:
    """To bfloat16 by rounding to the nearest, as GPUs do; the interpreter cuts digits off."""
    if operand.dtype.scalar is not tl.float32 or target.scalar is not tl.bfloat16:
        return _cast(self, operand, target)
    bits = operand.data.view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    data = np.where(np.isnan(operand.data), 0x7FC0, rounded).astype(np.uint16)
    return TensorHandle(data, tl.bfloat16)


_any_type = interpreter._get_np_dtype
_scalar_type = cache(_any_type)


def _numpy_type(kind: Any) -> Any:
    """What the interpreter looks up in a table that it makes at each call."""
    scalar = kind.scalar
    return _scalar_type(scalar) if type(scalar) is tl.dtype else _any_type(kind)


_block_type, _tensor = tl.block_type.__init__, tl.tensor.__init__


def _same_block_type(self: Any, element_ty: Any, shape: Any) -> None:
    """Blocks of the same elements and shape are made once: types never change."""
    key = tuple(shape)
    if not all(type(size) is int for size in key):
        return _block_type(self, element_ty, shape)
    blocks = element_ty.__dict__.setdefault("blocks", {})
    if key not in blocks:
        _block_type(self, element_ty, shape)
        blocks[key] = self.__dict__
    self.__dict__ = blocks[key]


def _tensor_of_type(self: Any, handle: Any, type: Any) -> None:
    """What a tensor says of its type is made once for each."""
    said = type.__dict__.get("of_tensors")
    if said is None:
        _tensor(self, handle, type)
        type.of_tensors = self.dtype, self.numel, self.shape
    else:
        self.handle, self.type = handle, type
        self.dtype, self.numel, self.shape = said


_execute = GridExecutor.__call__
_patched: set[str] = set()  # the modules whose functions have been prepared for this launch


def _quietly(self: Any, *args: Any, **options: Any) -> None:
    """Numbers that aren't finite are no warning: a kernel computes them in lanes that it masks."""
    _patched.clear()
    with np.errstate(all="ignore"):
        _execute(self, *args, **options)


def _call(self: Any, *args: Any, **options: Any) -> Any:
    """A function inside a kernel: the interpreter would patch the whole language at each call."""
    if self.fn.__module__ not in _patched:
        _patched.add(self.fn.__module__)
        interpreter._patch_lang(self.fn)
    return self.rewrite()(*args, **options)


_builtins: dict[
    Any, list[tuple[str, Any]]
] = {}  # of modules and classes, as Triton looks for them at each launch


def _patch_builtins(owner: Any, builder: Any, scope: Any) -> None:
    """What is patched is looked for once."""
    if owner not in _builtins:
        members = inspect.getmembers(owner)
        _builtins[owner] = [(name, member) for name, member in members if tl.core.is_builtin(member)]
    for name, member in _builtins[owner]:
        if getattr(owner, name) is member:  # it isn't patched yet
            interpreter._patch_attr(owner, name, member, builder, scope)


def complete() -> None:
    """Puts stand-ins where the interpreter would raise or be wrong."""
    GridExecutor.__call__ = _quietly
    InterpretedFunction.__call__ = _call
    for name, function in NUMPY.items():
        setattr(libdevice, name, _by_numpy(function))
    interpreter._get_np_dtype = _numpy_type
    tl.block_type.__init__ = _same_block_type
    tl.tensor.__init__ = _tensor_of_type
    interpreter._patch_builtin = _patch_builtins
    setattr(InterpreterBuilder, "create_dot", _dot)  # noqa: B010 (pyright compares signatures)
    setattr(InterpreterBuilder, "cast_impl", _rounding_cast)  # noqa: B010
    from packtrain.kernels.sums import kernel  # noqa: PLC0415 (it is to be imported when Triton is complete)

    kernel.BLOCK_M = COLUMNS
