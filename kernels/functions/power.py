"""Powers and roots, within 2 ulp."""

import math

from .arithmetic import (
    LN2,
    Pair,
    clamped,
    fast_two_sum,
    format_of,
    is_normal,
    nearest,
    nearest_and_power,
    polynomial,
    short_polynomial,
    split,
    split_normal,
    times_power_of_two,
    two_product,
)
from .instructions import absolute, copysign, floor, fma, rarely, sqrt, where
from .logarithm import log
from .vector import Vector

# From python -m scripts.coefficients
EXP2 = {
    "double": [  # exp2_double
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
    ],
    "float": [  # exp2_float
        1.0,
        0.6931471824645996,
        0.24022647738456726,
        0.05550359562039375,
        0.009618505835533142,
        0.0013391025131568313,
        0.00015326787251979113,
    ],
}
LOG2_FLOAT = [  # log2_float
    2.885390081790234,
    0.9617966731624057,
    0.5770836206932878,
    0.41167047486123354,
    0.3407734343865208,
]
LOG_REST = [  # log_rest_double
    0.20000000000000834,
    0.07619047618557333,
    0.08571428681046489,
    0.06233753807067703,
    0.05615171189180508,
    0.04767199693979945,
    0.048068164091822796,
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
    high, low = _exponent(split_normal(x), y)
    n, power = nearest_and_power(high)
    power = _exp2((high - n) + low) * power
    usual = is_normal(x) & (absolute(high) < format_of(x).bias - 2)
    return rarely(~usual, lambda: _any_power(x, y), power)


def log_of_base(x: Vector) -> Vector:
    """log(x), in the steps in which pow(x, y) takes a logarithm: beside it, it costs next to nothing.

    Within 0.9 ulp; its ends are those of log.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import log_of_base
    >>> of_arrays(log_of_base, np.array([0.0, 1, 10, -1]))
    array([      -inf, 0.        , 2.30258509,        nan])
    """
    base, (ln2, rest) = split_normal(x), LN2["double"]
    if x.kind == "float":
        usual = (_log2_of_floats(*base) * ln2).to("float")
    else:
        high, low = log2_pair(*base)
        usual = fma(high, ln2, fma(high, rest, low * ln2))
    return rarely(~is_normal(x), lambda: log(x), usual)


def cbrt(x: Vector) -> Vector:
    """The cube root within 0.8 ulp, of negative and of subnormal numbers too: -0 at -0, infinite at infinity.

    A polynomial for m^(-1/3), x = m 2^k, a step of Halley's kind, and one of Newton's for the root itself.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import cbrt
    >>> of_arrays(cbrt, np.array([8.0, -27, 2, 0]))
    array([ 2.        , -3.        ,  1.25992105,  0.        ])
    """
    size = absolute(x)

    def rare() -> Vector:
        return where((size > 0) & (size < math.inf), _cbrt(*split(size)), size)

    return copysign(rarely(~is_normal(size), rare, _cbrt(*split_normal(size))), x)


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


def _any_power(x: Vector, y: Vector) -> Vector:
    """x^y wherever it is."""
    size, limit = absolute(x), format_of(x).bias + format_of(x).fraction + 10
    high, low = _exponent(split(size), clamped(y, -(2.0**80), 2.0**80))
    low, high = where(absolute(high) < limit, low, 0), clamped(high, -limit, limit)
    n, shifted = nearest(high)
    power = times_power_of_two(_exp2((high - n) + low), shifted.bits())
    whole, half = floor(y) == y, y * 0.5
    power = where((x < 0) & ~whole, math.nan, power)
    inverse = (size.bits() ^ format_of(x).bits(math.inf)).as_floats(x.kind)  # 0 for infinity, and vice versa
    power = where((size == 0) | (size == math.inf), where(y < 0, inverse, size), power)
    power = copysign(power, where(whole & (floor(half) != half), x, 1))
    power = where(x.is_nan() | y.is_nan(), math.nan, power)
    return where((y == 0) | (x == 1), 1, power)


def _cbrt(m: Vector, k: Vector) -> Vector:
    """The cube root of m 2^k: of a 2^(k - left), a = m 2^left, where k - left is divided by 3."""
    third, power = nearest_and_power(k, 1 / 3)
    left = fma(third, -3, k)
    below, above = left < 0, left > 0
    a = where(below, m * 0.5, where(above, m * 2, m))
    y = polynomial(m, CBRT) * where(below, m.number(2 ** (1 / 3)), where(above, m.number(0.5 ** (1 / 3)), 1))
    e = fma(-(a * y), y * y, 1)
    y = fma(y * e, fma(e, 2 / 9, 1 / 3), y)  # a^(-1/3)
    root = a * y * y
    root = fma(fma(-(root * root), root, a) * (1 / 3), y * y, root)
    return root * power


def _exponent(base: Pair, y: Vector) -> Pair:
    """y log2(m 2^k) as a pair."""
    if y.kind == "float":
        product = y.to("double") * _log2_of_floats(*base)
        high = product.to("float")
        return high, (product - high.to("double")).to("float")
    log, log_low = log2_pair(*base)
    high, low = two_product(y, log)
    return high, fma(y, log_low, low)


def _exp2(r: Vector) -> Vector:
    """2^r for |r| <= 1/2."""
    c = EXP2[r.kind]
    return fma(r, fma(r, short_polynomial(r, c[2:]), c[1]), 1)


def _log2_of_floats(m: Vector, k: Vector) -> Vector:
    """log2(m 2^k) of floats, in doubles: k + log2(m), |log2(m)| <= 1/2."""
    m, k = m.to("double"), k.to("double")
    s = (m - 1) / (m + 1)
    return fma(s, polynomial(s * s, LOG2_FLOAT), k)


def log2_pair(m: Vector, k: Vector) -> Pair:
    """k + log2(m) as a pair for sqrt(1/2) <= m < sqrt(2), with a relative error of 2^-64.

    s = (m - 1)/(m + 1), z = s^2 to log2(m) = s/(1.5 log(2)) (3 + z) (1 + z^2 p(z)).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.power import log2_pair
    >>> of_arrays(lambda m, k: log2_pair(m, k)[0], np.array([1, 1.25]), np.array([-1.0, 3.0]))
    array([-1.        ,  3.32192809])
    """
    s, s_low = _ratio(m)
    z = s * s
    t, t_low = fast_two_sum(3, z)
    u = _times((s, s_low), (t, t_low + fma(s_low, s + s, fma(s, s, -z))))
    factor = TWO_THIRDS_OVER_LN2
    v, v_low = _times(u, (m.number(factor[0]), m.number(factor[1])))
    rest = z * z * fma(z, short_polynomial(z, LOG_REST[1:]), LOG_REST[0])
    high, low = fast_two_sum(k, v)
    high, more = fast_two_sum(high, v * rest)
    return high, more + (low + v_low)


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
