"""Hyperbolic functions, within 2 ulp."""

import math

from .arithmetic import (
    LN2,
    fast_two_sum,
    format_of,
    nearest_and_power,
    polynomial,
    power_of_two,
    times_power_of_two,
    two_sum,
)
from .exponential import EXP, RANGE, inverse_power, reduced
from .instructions import absolute, copysign, fma, sqrt, where
from .logarithm import log1p_of_pair
from .vector import Vector

# From python -m scripts.coefficients
TANH = {
    "double": [  # tanh_double
        -0.33333333333332876,
        0.13333333333264683,
        -0.053968253932373485,
        0.021869487599465713,
        -0.00886322128648141,
        0.003591991306089267,
        -0.0014549691164513863,
        0.0005863480258212758,
        -0.00022862420932705994,
        7.72088814864479e-05,
        -1.610249326525579e-05,
    ],
    "float": [  # tanh_float
        -0.3333328366279602,
        0.1333148330450058,
        -0.053742773830890656,
        0.020648062229156494,
        -0.005714063066989183,
    ],
}
EXP_OF_TWICE = {
    "double": [  # exp_of_twice_double
        1.0,
        2.0,
        2.0000000000000044,
        1.333333333333316,
        0.6666666666644463,
        0.2666666666712958,
        0.0888888892420014,
        0.025396825002923642,
        0.006349182134594799,
        0.0014109474345098468,
        0.0002829350856453175,
        5.12106393758069e-05,
    ],
    "float": [  # exp_of_twice_float
        1.0000001192092896,
        2.000000238418579,
        1.9999384880065918,
        1.3332452774047852,
        0.6713369488716125,
        0.27069494128227234,
    ],
}
SINH = {
    "double": [  # sinh_double
        0.16666666666666669,
        0.008333333333332915,
        0.0001984126984158924,
        2.7557319108490375e-06,
        2.5052130674085012e-08,
        1.6056687267739593e-10,
        7.775685287044976e-13,
    ],
    "float": [  # sinh_float
        0.166667178273201,
        0.008330223150551319,
        0.0002037663507508114,
    ],
}
ATANH = {
    "double": [  # atanh_double
        0.333333333333333,
        0.2000000000002854,
        0.14285714277842126,
        0.11111112157883028,
        0.09090832303614307,
        0.07695577916468971,
        0.06586416206664789,
        0.06924187667027606,
    ],
    "float": [  # atanh_float
        0.333334743976593,
        0.1997879445552826,
        0.1518334448337555,
    ],
}
SMALL = 0.625  # from here on tanh is found from e^2x, below by TANH
ONE = {"double": 20.0, "float": 10.0}  # from here on tanh is 1

LARGE = {"double": 2.0**60, "float": 2.0**30}  # from here on 1 is lost beside t^2, and log(1 + t) is log(t)


def tanh(x: Vector) -> Vector:
    """tanh(x) within 1.5 ulp, of floats 1.9: -0 at -0, 1 at infinity.

    From 0.625 on 1 - 2/(e^2x + 1), below it a polynomial.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.hyperbolic import tanh
    >>> of_arrays(tanh, np.array([0, 0.5, -1, np.inf]))
    array([ 0.        ,  0.46211716, -0.76159416,  1.        ])
    """
    size, z = absolute(x), x * x
    small = fma(x * z, polynomial(z, TANH[x.kind]), x)
    near = where(size > ONE[x.kind], ONE[x.kind], size)
    n, power = nearest_and_power(near, 2 / math.log(2))
    r = fma(n, -math.log(2) / 2, near)  # its error is lost beside 1, as n is 2 or more
    e = polynomial(r, EXP_OF_TWICE[x.kind]) * power
    return copysign(where(size < SMALL, small, 1 - 2 / (e + 1)), x)


def sinh(x: Vector) -> Vector:
    """sinh(x) within 1.7 ulp: -0 at -0, infinite where it is nearest.

    From 1 on (e^x - e^-x)/2, below it a polynomial.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.hyperbolic import sinh
    >>> of_arrays(sinh, np.array([0, 0.5, -1, 711]))
    array([ 0.        ,  0.52109531, -1.17520119,         inf])
    """
    size, z = absolute(x), x * x
    small = fma(x * z, polynomial(z, SINH[x.kind]), x)
    e, inverse, n = _exp_and_inverse(size)
    return copysign(where(size < 1, small, times_power_of_two(e - inverse, n.bits() - 1)), x)


def cosh(x: Vector) -> Vector:
    """cosh(x) = (e^x + e^-x)/2 within 1.4 ulp: 1 at 0, infinite where it is nearest.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.hyperbolic import cosh
    >>> of_arrays(cosh, np.array([0, 0.5, -1, 711]))
    array([1.        , 1.12762597, 1.54308063,        inf])
    """
    e, inverse, n = _exp_and_inverse(absolute(x))
    return times_power_of_two(e + inverse, n.bits() - 1)


def asinh(x: Vector) -> Vector:
    """asinh(x) within 1.3 ulp: -0 at -0, infinite at infinity.

    log(1 + p), p = t + t^2/(1 + sqrt(1 + t^2)), t = |x|: fdlibm's s_asinh.c.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.hyperbolic import asinh
    >>> of_arrays(asinh, np.array([0, 0.5, -1, np.inf]))
    array([ 0.        ,  0.48121183, -0.88137359,         inf])
    """
    t = absolute(x)
    square = t * t
    p, p_low = fast_two_sum(t, square / (sqrt(square + 1) + 1))
    y = _log1p_or_log_of_twice(t, p, p_low)
    return copysign(where(t < format_of(x).least, t, y), x)


def acosh(x: Vector) -> Vector:
    """acosh(x) within 1.5 ulp: 0 at 1, NaN below, infinite at infinity.

    log(1 + p), p = d + sqrt(d^2 + 2 d), d = x - 1.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.hyperbolic import acosh
    >>> of_arrays(acosh, np.array([1, 2, 0.5, np.inf]))
    array([0.       , 1.3169579,       nan,       inf])
    """
    d = x - 1
    root = sqrt(fma(d, d, d * 2))
    p, p_low = two_sum(root, d)
    return where(x < 1, math.nan, _log1p_or_log_of_twice(x, p, p_low))


def atanh(x: Vector) -> Vector:
    """atanh(x) within 1.7 ulp: -0 at -0, infinite at 1, NaN beyond.

    k log(2)/2 + atanh(s), s = (1 + t - 2^k (1 - t))/(1 + t + 2^k (1 - t)), t = |x|, where 2^k is near
    (1 + t)/(1 - t), so that |s| < 0.21; k = 0 is s = t.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.hyperbolic import atanh
    >>> of_arrays(atanh, np.array([0, 0.5, -1, 2]))
    array([0.        , 0.54930614,       -inf,        nan])
    """
    t, form = absolute(x), format_of(x)
    k = ((t + 1).bits() - (1 - t).bits() + (1 << (form.fraction - 1))) >> form.fraction
    power = power_of_two(k, x.kind)
    s = _less_over_more(t, power)
    z = s * s
    high, low = (0.5 * part for part in LN2[x.kind])
    k = k.to(x.kind)
    y = fma(k, high, s + fma(k, low, s * z * polynomial(z, ATANH[x.kind])))
    return copysign(where(t < 1, y, where(t == 1, y.number(math.inf), math.nan)), x)


def _less_over_more(t: Vector, power: Vector) -> Vector:
    """(1 + t - power*(1 - t)) / (1 + t + power*(1 - t)).

    Below t = 1/2 power is 1 or 2, from there on 1 - t is exact.
    """
    small, a, b = t < 0.5, 1 + t, 1 - t
    top = where(small, fma(t, power + 1, 1 - power), fma(-power, b, a))
    return top / where(small, fma(t, 1 - power, power + 1), fma(power, b, a))


def _exp_and_inverse(x: Vector) -> tuple[Vector, Vector, Vector]:
    """e^x and e^-x, both over 2^n, and what `nearest` gives of n, for x >= 0."""
    r, n = reduced(where(x > RANGE[x.kind][1] + 1, RANGE[x.kind][1] + 1, x))
    e, c = polynomial(r, EXP[x.kind]), inverse_power(n)
    return e, c * c / e, n


def _log1p_or_log_of_twice(t: Vector, p: Vector, p_low: Vector) -> Vector:
    """log(1 + p + p_low), or log(2 t) where t is so large that t^2 may overflow."""
    large = t > LARGE[t.kind]
    y = log1p_of_pair(where(large, t, p), where(large, 0, p_low))
    return y + where(large, y.number(math.log(2)), 0)
