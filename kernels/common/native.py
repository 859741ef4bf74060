"""Calls of machine code by its address, from functions that Numba compiles.

What is compiled so is kept on disk for all formulas: it is given the address as an argument.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _call(typing: Any, address: Any, arguments: Any) -> Any:
    """Calls the function at `address`, which returns nothing, with a tuple of arguments.

    An array is passed as a pointer to its first number, all else as a 64-bit integer.
    """

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        where, whole = values
        passed = []
        for kind, value in zip(arguments, cgutils.unpack_tuple(builder, whole), strict=True):
            if isinstance(kind, types.Array):
                passed.append(context.make_array(kind)(context, builder, value).data)
            else:
                passed.append(context.cast(builder, value, kind, types.int64))
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in passed])
        builder.call(builder.inttoptr(where, kind.as_pointer()), passed)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), write


call: Any = intrinsic(_call)  # call(address, (argument, ...))
