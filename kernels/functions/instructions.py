"""What is done with vectors beside their operators: LLVM's instructions, branches, and calls of libm."""

from collections.abc import Callable, Iterable
from functools import wraps

from .vector import SHORT, Number, Vector, together


def intrinsic(name: str, *operands: "Vector | Number") -> Vector:
    """LLVM's llvm.`name` of vectors of one kind.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import intrinsic
    >>> of_arrays(lambda x: intrinsic("maxnum", x, 1), np.array([0.5, 2.0]))
    array([1., 2.])
    """
    vectors = together(*operands)
    like = vectors[0]
    function = f"@llvm.{name}.{intrinsic_name(like)}"
    like.place.module.declare(f"{like.type} {function}({', '.join([like.type] * len(vectors))})")
    arguments = ", ".join(f"{vector.type} {vector.text}" for vector in vectors)
    return like.of(like.place.value(f"call {like.type} {function}({arguments})"))


def intrinsic_name(vector: Vector) -> str:
    """The vector's type in the names of LLVM's intrinsics, as v8f64.

    >>> from packtrain.kernels.functions.instructions import intrinsic_name
    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> intrinsic_name(Place(Module()).number(0, "double", 8))
    'v8f64'
    """
    return f"v{vector.lanes}{SHORT.get(vector.kind, vector.kind)}"


def fma(a: "Vector | Number", b: "Vector | Number", c: "Vector | Number") -> Vector:
    """a*b + c, rounded once.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import fma
    >>> of_arrays(lambda x: fma(x, x, 1), np.array([3.0]))
    array([10.])
    """
    return intrinsic("fma", a, b, c)


def sqrt(x: Vector) -> Vector:
    """The square root; NaN of negative numbers.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import sqrt
    >>> of_arrays(lambda x: sqrt(x), np.array([9.0]))
    array([3.])
    """
    return intrinsic("sqrt", x)


def absolute(x: Vector) -> Vector:
    """|x|.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import absolute
    >>> of_arrays(lambda x: absolute(x), np.array([-9.0]))
    array([9.])
    """
    return intrinsic("fabs", x)


def floor(x: Vector) -> Vector:
    """The largest whole number that isn't larger.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import floor
    >>> of_arrays(lambda x: floor(x), np.array([-1.5]))
    array([-2.])
    """
    return intrinsic("floor", x)


def ceil(x: Vector) -> Vector:
    """The least whole number that isn't less.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import ceil
    >>> of_arrays(lambda x: ceil(x), np.array([-1.5]))
    array([-1.])
    """
    return intrinsic("ceil", x)


def rint(x: Vector) -> Vector:
    """The nearest whole number, the even one of two that are as near.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import rint
    >>> of_arrays(lambda x: rint(x), np.array([2.5]))
    array([2.])
    """
    return intrinsic("roundeven", x)


def copysign(size: "Vector | Number", sign: Vector) -> Vector:
    """|size|, with the sign of `sign`.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import copysign
    >>> of_arrays(lambda x: copysign(2, x), np.array([-9.0]))
    array([-2.])
    """
    return intrinsic("copysign", size, sign)


def where(mask: Vector, a: "Vector | Number", b: "Vector | Number") -> Vector:
    """a where the mask is true, else b. One of a and b is a vector.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import where
    >>> of_arrays(lambda x, y: where(x > y, x, 0), np.array([1.0, 4.0]), np.array([2.0, 3.0]))
    array([0., 4.])
    """
    mask, a, b = together(mask, a, b)
    text = a.place.value(f"select {mask.type} {mask.text}, {a.type} {a.text}, {b.type} {b.text}")
    return a.of(text)


def lane_by_lane(function: str, *operands: Vector) -> Vector:
    """The C library's `function` of each lane's numbers: slow, for what is rare.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import lane_by_lane
    >>> of_arrays(lambda x: lane_by_lane("cbrt", x), np.array([8.0]))
    array([2.])
    """
    vectors = together(*operands)
    like, place = vectors[0], vectors[0].place
    kind = like.kind
    place.module.declare(f"{kind} @{function}({', '.join([kind] * len(vectors))})")
    result = "poison"
    for lane in range(like.lanes):
        lanes = [place.value(f"extractelement {v.type} {v.text}, i64 {lane}") for v in vectors]
        number = place.value(f"call {kind} @{function}({', '.join(f'{kind} {one}' for one in lanes)})")
        result = place.value(f"insertelement {like.type} {result}, {kind} {number}, i64 {lane}")
    return like.of(result)


def any_lane(mask: Vector) -> str:
    """The name of an i1: whether the mask is true in a lane.

    >>> from packtrain.kernels.functions.instructions import any_lane
    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> any_lane((place := Place(Module())).lanes(8) > 6), place.lines[-1].partition("(")[0]
    ('%v1', '%v1 = call i1 @llvm.vector.reduce.or.v8i1')
    """
    function = f"@llvm.vector.reduce.or.{intrinsic_name(mask)}"
    mask.place.module.declare(f"i1 {function}({mask.type})")
    return mask.place.value(f"call i1 {function}({mask.type} {mask.text})")


def total(vector: Vector) -> str:
    """The name of the sum of the lanes: the halves are added, then their halves, and so on.

    >>> from packtrain.kernels.functions.instructions import total
    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> name = total((place := Place(Module())).number(1, "double", 8))
    >>> sum(" fadd " in line for line in place.lines)
    3
    """
    while vector.lanes > 1:
        half = vector.lanes // 2
        vector = shuffled(vector, vector, range(half)) + shuffled(vector, vector, range(half, 2 * half))
    return vector.place.value(f"extractelement {vector.type} {vector.text}, i64 0")


def shuffled(a: Vector, b: Vector, lanes: Iterable[int]) -> Vector:
    """These lanes of a and, counted on, of b.

    >>> from packtrain.kernels.functions.instructions import shuffled
    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> numbers = Place(Module()).lanes(8)
    >>> shuffled(numbers, numbers, [7, 8]).type
    '<2 x i64>'
    """
    numbers = [f"i32 {lane}" for lane in lanes]
    chosen = f"<{len(numbers)} x i32> <{', '.join(numbers)}>"
    text = a.place.value(f"shufflevector {a.type} {a.text}, {b.type} {b.text}, {chosen}")
    return Vector(a.place, text, a.kind, len(numbers))


def rarely(mask: Vector, rare: Callable[[], Vector], usual: Vector) -> Vector:
    """`usual`; where the mask is true, rare(), whose code is passed over unless the mask is true in a lane.

    It ends a block: a loop's `phi`, which names the blocks that its values come from, needs a label after it.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import lane_by_lane, rarely
    >>> of_arrays(lambda x: rarely(x > 1, lambda: lane_by_lane("exp", x), x + 1), np.array([0.5, 2.0]))
    array([1.5      , 7.3890561])
    """
    mask, usual = together(mask, usual)
    place, n = mask.place, next(mask.place.module.names)
    place.module.declare("i1 @llvm.expect.i1(i1, i1)")
    needed = place.value(f"call i1 @llvm.expect.i1(i1 {any_lane(mask)}, i1 false)")
    place.lines += [f"br label %before{n}", f"before{n}:", f"br i1 {needed}, label %rare{n}, label %after{n}"]
    place.add(f"rare{n}:")
    replaced = where(mask, rare(), usual)
    place.lines += [f"br label %replaced{n}", f"replaced{n}:", f"br label %after{n}", f"after{n}:"]
    sources = f"[{usual.text}, %before{n}], [{replaced.text}, %replaced{n}]"
    return usual.of(place.value(f"phi {usual.type} {sources}"))


def through_doubles(function: Callable[..., Vector]) -> Callable[..., Vector]:
    """The function of doubles also for floats: computed in double, and rounded.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.instructions import through_doubles
    >>> of_arrays(through_doubles(lambda x: x + 1e-7 - 1), np.array([1.0], np.float32))
    array([1.e-07], dtype=float32)
    """

    @wraps(function)
    def of_any_kind(*operands: Vector) -> Vector:
        if operands[0].kind == "double":
            return function(*operands)
        return function(*(operand.to("double") for operand in operands)).to(operands[0].kind)

    return of_any_kind
