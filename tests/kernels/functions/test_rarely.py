"""A rare branch in the middle of a function's code: in a loop, before it, and one inside another."""

import ctypes

import numpy as np

from packtrain.kernels.common.llvm import compiled
from packtrain.kernels.functions.arrays import of_arrays
from packtrain.kernels.functions.circular import sin
from packtrain.kernels.functions.instructions import absolute, rarely
from packtrain.kernels.functions.vector import Module, Place, Vector


def test_one_before_the_loop() -> None:
    begin = Place(module := Module())
    outside = sin(begin.load_splat("%k", "double", 8))
    begin.lines += ["br label %before", "before:", "br label %loop"]
    loop = Place(module, depth=1)
    loop.lines += ["loop:", "%n = phi i64 [0, %before], [%next, %last]"]
    inside = sin(loop.load(loop.pointer("%x", "double", "%n"), "double", 8))
    loop.store(inside * outside, loop.pointer("%y", "double", "%n"))
    loop.lines += ["br label %last", "last:", "%next = add i64 %n, 8", "%more = icmp slt i64 %next, 16"]
    loop.lines += ["br i1 %more, label %loop, label %end", "end:", "ret void"]
    module.define("f", "ptr %k, ptr %x, ptr %y", [*begin.lines, *loop.lines])
    code = compiled(module.text(), "f")
    x, y = np.linspace(0, 1e15, 16), np.empty(16)
    for k in (np.array([1.0]), np.array([1e300])):
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (k, x, y)]
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(code.address["f"])(*pointers)
        np.testing.assert_array_equal(y, of_arrays(sin, x) * of_arrays(sin, k))


def test_one_inside_another() -> None:
    def nested(x: Vector) -> Vector:
        size = absolute(x)
        return rarely(size > 1, lambda: rarely(size > 2, lambda: x * 0 + 3, x * 0 + 2), x)

    x = np.array([0.5, 1.5, -2.5, np.nan, 1.0, -0.5, 9.0, 2.0, 0.25])
    np.testing.assert_array_equal(of_arrays(nested, x), [0.5, 2, 3, np.nan, 1, -0.5, 3, 2, 0.25])
