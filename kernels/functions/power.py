"""Powers and roots, within 2 ulp."""

import math

from .arithmetic import (
    Pair,
    clamped,
    fast_two_sum,
    format_of,
    nearest,
    polynomial,
    power_of_two,
    split,
    times_power_of_two,
    two_chains,
    two_product,
)
from .vector import Vector, absolute, copysign, floor, fma, sqrt, where

# From python -m scripts.coefficients
EXP2 = [  # exp2_double
    1.0,
    0.6931471805599453,
    0.2402265069591011,
    0.055504108664821736,
    0.009618129107600584,
    0.0013333558146543145,
    0.0001540353045029502,
    1.5252733637238123e-05,
    1.3215438205697553e-06,
    1.0178158425185772e-07,
    7.073343018153618e-09,
    4.4391626713860797e-10,
]
EXP2_FLOAT = [  # exp2_float
    1.0,
    0.6931471824645996,
    0.24022647738456726,
    0.05550359562039375,
    0.009618505835533142,
    0.0013391025131568313,
    0.00015326787251979113,
]
LOG2_FLOAT = [  # log2_float
    2.885390081790234,
    0.9617966731624057,
    0.5770836206932878,
    0.41167047486123354,
    0.3407734343865208,
]
LOG_REST = [  # log_rest_double
    0.6000000000000344,
    0.42857142855121355,
    0.33333333785121416,
    0.2727267607336624,
    0.23080158792761546,
    0.19884679393718014,
    0.19799731401340687,
]
CBRT = [  # cbrt
    1.874505639076233,
    -1.8617734909057617,
    1.5612150430679321,
    -0.702324390411377,
    0.1283537596464157,
]
TWO_THIRDS_OVER_LN2 = (0.9617966939259756, 5.0577616648125907e-17)  # pair(lambda: 2 / mpmath.log(2) / 3)


def pow(x: Vector, y: Vector) -> Vector:
    """x^y within 1.6 ulp over its whole range, subnormal numbers too; for floats within 1 ulp.

    At special values as C's pow (ISO C, F.10.4.4): 1 where y = 0 or x = 1, even if the other is NaN; NaN for
    negative x unless y is whole; the sign of x stays where y is odd; 0 and infinity are raised as limits are.

    2^(y log2(x)), the logarithm as a pair: its relative error of 2^-64 is an ulp/3 of the largest results.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import pow
    >>> of_arrays(pow, np.array([2.0, -2, -2, 0]), np.array([0.5, 3, 0.5, -1]))
    array([ 1.41421356, -8.        ,         nan,         inf])
    """
    size = absolute(x)
    power = _power_of_floats(size, y) if x.kind == "float" else _power(size, y)
    whole, half = floor(y) == y, y * 0.5
    power = where((x < 0) & ~whole, math.nan, power)
    inverse = (size.bits() ^ format_of(x).bits(math.inf)).as_floats(x.kind)  # 0 for infinity, and vice versa
    power = where((size == 0) | (size == math.inf), where(y < 0, inverse, size), power)
    power = copysign(power, where(whole & (floor(half) != half), x, 1))
    power = where(x.is_nan() | y.is_nan(), math.nan, power)
    return where((y == 0) | (x == 1), 1, power)


def cbrt(x: Vector) -> Vector:
    """The cube root within 0.8 ulp, of negative and of subnormal numbers too: -0 at -0, infinite at infinity.

    A polynomial for m^(-1/3), x = m 2^k, a step of Halley's kind, and one of Newton's for the root itself.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import cbrt
    >>> of_arrays(cbrt, np.array([8.0, -27, 2, 0]))
    array([ 2.        , -3.        ,  1.25992105,  0.        ])
    """
    m, k = split(absolute(x))
    third, bits = nearest(k * (1 / 3))
    left = fma(third, -3, k)
    below, above = left < 0, left > 0
    a = where(below, m * 0.5, where(above, m * 2, m))
    y = polynomial(m, CBRT) * where(below, x.number(2 ** (1 / 3)), where(above, x.number(0.5 ** (1 / 3)), 1))
    e = fma(-(a * y), y * y, 1)
    y = fma(y * e, fma(e, 2 / 9, 1 / 3), y)  # a^(-1/3)
    root = a * y * y
    root = fma(fma(-(root * root), root, a) * (1 / 3), y * y, root)
    root = copysign(root * power_of_two(bits.bits(), x.kind), x)
    return where((absolute(x) < math.inf) & (x != 0), root, x)


def hypot(x: Vector, y: Vector) -> Vector:
    """sqrt(x^2 + y^2) within 1.2 ulp, even if x^2 overflows: infinite where x or y is, even beside NaN.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import hypot
    >>> of_arrays(hypot, np.array([3, 1e200, np.inf]), np.array([4, 1e200, np.nan]))
    array([5.00000000e+000, 1.41421356e+200,             inf])
    """
    x, y = absolute(x), absolute(y)
    most, least = where(x > y, x, y), where(x > y, y, x)
    limit = {"double": 600, "float": 100}[x.kind]
    large, small = most > 2.0 ** (limit / 2), most < 2.0 ** (-limit / 2)
    scale, back = (
        where(large, x.number(2.0**-sign), where(small, x.number(2.0**sign), 1)) for sign in (limit, -limit)
    )
    most, least = most * scale, least * scale
    root = sqrt(fma(most, most, least * least)) * back
    return where((x == math.inf) | (y == math.inf), math.inf, root)


def _power(x: Vector, y: Vector) -> Vector:
    """x^y for positive, finite x."""
    y, log = clamped(y, -(2.0**80), 2.0**80), log2_pair(x)
    high, low = two_product(y, log[0])
    low = where(absolute(high) < 1100.0, fma(y, log[1], low), 0)
    high = clamped(high, -1100.0, 1100.0)
    n, shifted = nearest(high)
    r = (high - n) + low
    return times_power_of_two(fma(r, fma(r, two_chains(r, EXP2[2:]), EXP2[1]), 1), shifted.bits())


def _power_of_floats(x: Vector, y: Vector) -> Vector:
    """x^y for positive, finite floats x: their logarithm and its product with y in doubles."""
    m, k = (part.to("double") for part in split(x))
    s = (m - 1) / (m + 1)
    y = clamped(y, -(2.0**100), 2.0**100)
    product = y.to("double") * fma(s, polynomial(s * s, LOG2_FLOAT), k)
    n, shifted = nearest(clamped(product.to("float"), -200.0, 200.0))
    r = clamped((product - n.to("double")).to("float"), -1.0, 1.0)
    return times_power_of_two(fma(r, fma(r, two_chains(r, EXP2_FLOAT[2:]), EXP2_FLOAT[1]), 1), shifted.bits())


def log2_pair(x: Vector) -> Pair:
    """log2(x) for positive, finite x as a pair, with a relative error of 2^-64.

    s = (m - 1)/(m + 1), z = s^2 to log2(m) = s/(1.5 log(2)) (3 + z + 3/5 z^2 + ...): fdlibm's e_pow.c.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import log2_pair
    >>> of_arrays(lambda x: log2_pair(x)[0], np.array([0.5, 1, 10]))
    array([-1.        ,  0.        ,  3.32192809])
    """
    m, k = split(x)
    s, s_low = _ratio(m)
    z = s * s
    z_low = fma(s_low, s + s, fma(s, s, -z))
    rest = fma(z * z, fma(z, two_chains(z, LOG_REST[1:]), LOG_REST[0]), z_low)
    t, t_low = fast_two_sum(3, z)
    t = fast_two_sum(t, t_low + rest)
    u, u_low = _times((s, s_low), t)
    v, v_low = _times((u, u_low), (x.number(TWO_THIRDS_OVER_LN2[0]), x.number(TWO_THIRDS_OVER_LN2[1])))
    high, low = fast_two_sum(k, v)
    return high, low + v_low


def _ratio(m: Vector) -> Pair:
    """(m - 1)/(m + 1)."""
    f = m - 1
    reciprocal = 1 / (m + 1)
    s = f * reciprocal
    return s, fma(-s, f, fma(s, -2, f)) * reciprocal  # f - 2s is exact


def _times(a: Pair, b: Pair) -> Pair:
    """a*b; its low part is not below half an ulp."""
    high, low = two_product(a[0], b[0])
    return high, low + fma(a[0], b[1], a[1] * b[0])
