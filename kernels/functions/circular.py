"""sin, cos, tan.

An angle loses the nearest multiple of pi/2, in three parts (Cody and Waite, "Software Manual for the
Elementary Functions", 1980), which is exact enough up to LIMIT; beyond it the C library computes, lane by
lane. What is left goes through a polynomial for the sine and one for the cosine: sin and cos of one angle
share all of this, since LLVM merges equal instructions.

Coefficients: `python -m scripts.special_coefficients`.
"""

from .arithmetic import Pair, fast_two_sum, format_of, polynomial, two_over_two, two_product, two_sum
from .instructions import absolute, fma, lane_by_lane, rarely, where
from .vector import BITS, Vector

LIMIT = {"double": 2.0**45, "float": 2.0**17}
TWO_OVER_PI = {"double": 0.6366197723675814, "float": 0.6366197466850281}
HALF_PI = {  # the sum of three numbers
    "double": (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    "float": (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
}
SINE = {  # sin(r) = r + r^3 SINE(r^2)
    "double": (
        -0.1666666666666663,
        0.008333333333321796,
        -0.00019841269829292402,
        2.755731350674322e-06,
        -2.5050728226806498e-08,
        1.5895016392750901e-10,
    ),
    "float": (-0.16666655242443085, 0.008332185447216034, -0.00019517414330039173),
}
COSINE = {  # cos(r) = 1 - r^2/2 + r^4 COSINE(r^2)
    "double": (
        0.041666666666666595,
        -0.0013888888888873303,
        2.480158728894714e-05,
        -2.7557314191923667e-07,
        2.087570074561828e-09,
        -1.1358447129398896e-11,
    ),
    "float": (0.04166664555668831, -0.00138873013202101, 2.4430672056041658e-05),
}


def sin(x: Vector) -> Vector:
    """sin(x) within 2 ulp, for every x; -0 stays -0, and the sine of infinity is NaN.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import sin
    >>> of_arrays(sin, np.array([0.0, 1.0, 1e300]))
    array([ 0.        ,  0.84147098, -0.81788191])
    """
    size = absolute(x)
    quarters, r = _reduced(size)
    y = where(is_odd(quarters), _cosine(r), _sine(r))
    return or_library("sin", x, size, with_sign(y, bit_as_sign(quarters, 1) ^ x.bits()))


def cos(x: Vector) -> Vector:
    """cos(x) within 2 ulp, for every x; the cosine of infinity is NaN.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import cos
    >>> of_arrays(cos, np.array([0.0, 1.0, 1e300]))
    array([ 1.        ,  0.54030231, -0.57538611])
    """
    size = absolute(x)
    quarters, r = _reduced(size)
    y = where(is_odd(quarters), _sine(r), _cosine(r))
    return or_library("cos", x, size, with_sign(y, bit_as_sign(quarters + 1, 1)))


def tan(x: Vector) -> Vector:
    """tan(x) within 2 ulp, for every x; -0 stays -0, and the tangent of infinity is NaN.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import tan
    >>> of_arrays(tan, np.array([0.0, 1.0, 1e300]))
    array([0.        , 1.55740772, 1.42144882])
    """
    size = absolute(x)
    quarters, high, low = _reduced_pair(size)
    sine, cosine = _sine_pair(high, low), _cosine_pair(high, low)
    odd = is_odd(quarters)
    above, below = _pair_where(odd, cosine, sine), _pair_where(odd, sine, cosine)
    y = with_sign(two_over_two(above, below), bit_as_sign(quarters, 0) ^ x.bits())
    return or_library("tan", x, size, y)


def sine_and_cosine(size: Vector) -> Pair:
    """sin(size) and cos(size) from 0 to LIMIT, within 1.5 ulp; anything beyond it.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import sine_and_cosine
    >>> of_arrays(lambda x: sine_and_cosine(x)[1], np.array([0.0, 1.0]))
    array([1.        , 0.54030231])
    """
    quarters, r = _reduced(size)
    sine, cosine, odd = _sine(r), _cosine(r), is_odd(quarters)
    return (
        with_sign(where(odd, cosine, sine), bit_as_sign(quarters, 1)),
        with_sign(where(odd, sine, cosine), bit_as_sign(quarters + 1, 1)),
    )


def _pair_where(mask: Vector, a: Pair, b: Pair) -> Pair:
    return where(mask, a[0], b[0]), where(mask, a[1], b[1])


def _reduced(size: Vector) -> tuple[Vector, Vector]:
    """Integers that end in the bits of n, and size - n pi/2, between -pi/4 and pi/4: its error is 1 ulp."""
    n, quarters = _quarters(size)
    first, second, third = HALF_PI[size.kind]
    return quarters, fma(n, -third, fma(n, -second, fma(n, -first, size)))


def _reduced_pair(size: Vector) -> tuple[Vector, Vector, Vector]:
    """Integers that end in the bits of n, and size - n pi/2 as a pair."""
    n, quarters = _quarters(size)
    first, second, third = HALF_PI[size.kind]
    product, below = two_product(n, -second)
    high, low = two_sum(fma(n, -first, size), product)
    return quarters, *fast_two_sum(high, fma(n, -third, low + below))


def _quarters(size: Vector) -> tuple[Vector, Vector]:
    """How many pi/2 are nearest, and integers that end in its bits."""
    whole = format_of(size).whole
    shifted = fma(size, TWO_OVER_PI[size.kind], whole)
    return shifted - whole, shifted.bits()


def _sine(r: Vector) -> Vector:
    square = r * r
    return fma(r * square, polynomial(square, SINE[r.kind]), r)


def _cosine(r: Vector) -> Vector:
    square = r * r
    return fma(square, polynomial(square, (-0.5, *COSINE[r.kind])), 1.0)


def _sine_pair(r: Vector, low: Vector) -> Pair:
    square = r * r
    return fast_two_sum(r, fma(r * square, polynomial(square, SINE[r.kind]), fma(low * square, -0.5, low)))


def _cosine_pair(r: Vector, low: Vector) -> Pair:
    square = r * r
    rest = polynomial(square, (-0.5, *COSINE[r.kind]))
    return fast_two_sum(1.0, fma(square, rest, -(r * low)))


def is_odd(n: Vector) -> Vector:
    """Where the lowest bit of integers n is set.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import is_odd
    >>> of_arrays(lambda x: is_odd(x.to("i64")).to("double"), np.array([3.0, 4.0]))
    array([1., 0.])
    """
    return (n & 1) != 0


def bit_as_sign(n: Vector, bit: int) -> Vector:
    """Bit `bit` of integers n moved to the place of the sign, before other bits: for `with_sign`.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import bit_as_sign, with_sign
    >>> of_arrays(lambda x: with_sign(x, bit_as_sign(x.to("i64"), 1)), np.array([1.0, 2.0, 4.0]))
    array([ 1., -2.,  4.])
    """
    return n << (BITS[n.kind] - 1 - bit)


def with_sign(y: Vector, bits: Vector) -> Vector:
    """y, negated where the highest of the bits is set.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import with_sign
    >>> of_arrays(lambda y, x: with_sign(y, x.bits()), np.array([1.0, -1.0]), np.array([-9.0, -0.0]))
    array([-1.,  1.])
    """
    return (y.bits() ^ (bits & -(1 << (BITS[bits.kind] - 1)))).as_floats(y.kind)


def or_library(name: str, x: Vector, size: Vector, y: Vector) -> Vector:
    """y; beyond LIMIT what the C library's function gives.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.circular import or_library
    >>> of_arrays(lambda x: or_library("sin", x, x, x), np.array([0.5, 1e300]))
    array([ 0.5       , -0.81788191])
    """
    suffix = "f" if x.kind == "float" else ""
    return rarely(size > LIMIT[x.kind], lambda: lane_by_lane(name + suffix, x), y)
