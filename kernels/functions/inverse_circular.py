"""asin, acos, atan, atan2.

Coefficients: `python -m scripts.special_coefficients`.
"""

from .arithmetic import fast_two_sum, polynomial, two_chains
from .circular import HALF_PI
from .instructions import absolute, copysign, fma, sqrt, where
from .vector import Vector

ARC_SINE = {  # asin(s) = s + s^3 ARC_SINE(s^2) up to 1/2
    "double": (
        0.16666666666665383,
        0.0750000000034294,
        0.04464285682355057,
        0.030381959328843595,
        0.022371753575312733,
        0.01735977038158866,
        0.013884605182964528,
        0.012173237781508403,
        0.006511023199578024,
        0.01957346514115296,
        -0.016293415205114334,
        0.03195853528143682,
    ),
    "float": (
        0.16666753590106964,
        0.07495252043008804,
        0.0454760380089283,
        0.0241521168500185,
        0.04221176356077194,
    ),
}
ARC_TANGENT = {  # atan(t) = t + t^3 ARC_TANGENT(t^2) up to 1
    "double": (
        -0.3333333333333149,
        0.19999999999723148,
        -0.14285714270272826,
        0.11111110659924475,
        -0.09090901032740328,
        0.07692211516244912,
        -0.06665853820022638,
        0.058772883648210664,
        -0.05239203543194745,
        0.046739742501350885,
        -0.040929048786992585,
        0.03407556359631601,
        -0.02584072283011564,
        0.016995332333169143,
        -0.009199771600821876,
        0.003865328314170481,
        -0.0011679090362880144,
        0.00022396807342550093,
        -2.0364578281377675e-05,
    ),
    "float": (
        -0.3333316743373871,
        0.1999414712190628,
        -0.14214284718036652,
        0.10679223388433456,
        -0.07581157982349396,
        0.04356016218662262,
        -0.01658514328300953,
        0.0029755556024610996,
    ),
}


def asin(x: Vector) -> Vector:
    """asin(x), from -pi/2 to pi/2, within 1.5 ulp; NaN beyond 1; -0 stays -0.

    Above 1/2 it is pi/2 - 2 asin(sqrt((1 - x)/2)).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.inverse_circular import asin
    >>> of_arrays(asin, np.array([0.0, 0.5, -1.0, 2.0]))
    array([ 0.        ,  0.52359878, -1.57079633,         nan])
    """
    small, s, rest = _arc_sine_of_half(absolute(x))
    right, low, _ = HALF_PI[x.kind]
    high, below = fast_two_sum(right, -2 * s)
    return copysign(where(small, s + rest, high - (2 * rest - (below + low))), x)


def acos(x: Vector) -> Vector:
    """acos(x), from 0 to pi, within 2 ulp; NaN beyond 1.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.inverse_circular import acos
    >>> of_arrays(acos, np.array([0.0, 0.5, -1.0, 2.0]))
    array([1.57079633, 1.04719755, 3.14159265,        nan])
    """
    small, s, rest = _arc_sine_of_half(absolute(x))
    right, low, _ = HALF_PI[x.kind]
    angle = s + rest
    large = where(x < 0, 2 * right - (2 * angle - 2 * low), 2 * angle)
    return where(small, right - (copysign(angle, x) - low), large)


def _arc_sine_of_half(size: Vector) -> tuple[Vector, Vector, Vector]:
    """Whether size is at most 1/2; s = size if so, else sqrt((1 - size)/2); asin(s) - s."""
    small = size <= 0.5
    square = where(small, size * size, (1 - size) * 0.5)
    s = where(small, size, sqrt(square))
    return small, s, s * square * two_chains(square, ARC_SINE[size.kind])


def atan(x: Vector) -> Vector:
    """atan(x), from -pi/2 to pi/2, within 2 ulp; -0 stays -0.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.inverse_circular import atan
    >>> of_arrays(atan, np.array([0.0, 1.0, -np.inf]))
    array([ 0.        ,  0.78539816, -1.57079633])
    """
    size = absolute(x)
    steep = size > 1
    angle = _arc_tangent(where(steep, 1, size) / where(steep, size, 1))
    right, low, _ = HALF_PI[x.kind]
    return copysign(where(steep, right - (angle - low), angle), x)


def atan2(y: Vector, x: Vector) -> Vector:
    """The angle of the point (x, y) from -pi to pi, within 2 ulp; at zeros and infinities the C library's.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.inverse_circular import atan2
    >>> of_arrays(atan2, np.array([0.0, 1.0, -0.0]), np.array([1.0, -1.0, -1.0]))
    array([ 0.        ,  2.35619449, -3.14159265])
    """
    height, width = absolute(y), absolute(x)
    steep, left = height > width, x.bits() < 0
    above, below = where(steep, width, height), where(steep, height, width)
    ratio = where(above == below, where(below == 0, below, 1), above / below)
    angle = _arc_tangent(ratio)
    angle = where(steep ^ left, -angle, angle)
    right, low, _ = HALF_PI[x.kind]
    start = where(steep, right, where(left, x.number(2 * right), 0))
    start_low = where(steep, low, where(left, x.number(2 * low), 0))
    return copysign(start + (angle + start_low), y)


def _arc_tangent(t: Vector) -> Vector:
    """atan(t) for 0 <= t <= 1."""
    square = t * t
    return fma(t * square, polynomial(square, ARC_TANGENT[t.kind]), t)
