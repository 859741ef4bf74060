"""e^x and what is made of it, within 2 ulp."""

import math

from .arithmetic import (
    LN2,
    Pair,
    clamped,
    fast_two_sum,
    format_of,
    nearest,
    polynomial,
    power_of_two,
    times_power_of_two,
    two_over_two,
)
from .instructions import absolute, fma, where
from .vector import Vector

# From python -m scripts.coefficients
EXP = {
    "double": [  # exp_double
        1.0,
        1.0,
        0.5000000000000011,
        0.1666666666666645,
        0.04166666666652789,
        0.008333333333477994,
        0.001388888894406272,
        0.00019841269533534095,
        2.4801492713260933e-05,
        2.7557567080270445e-06,
        2.7630379457550537e-07,
        2.5005195007718214e-08,
    ],
    "float": [  # exp_float
        1.0,
        1.0,
        0.4999999403953552,
        0.1666652113199234,
        0.041668277233839035,
        0.008368687704205513,
        0.0013819769956171513,
    ],
}
RANGE = {"double": (-746.0, 710.0), "float": (-104.0, 89.0)}  # beyond, e^x is 0 or infinite


def exp(x: Vector) -> Vector:
    """e^x within 0.9 ulp; 0 and infinite exactly where that is the nearest number.

    x = r + n log(2), |r| <= log(2)/2, and a polynomial for e^r: Muller, "Elementary Functions", 2016.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import exp
    >>> of_arrays(exp, np.array([0, 1, -np.inf, 710]))
    array([1.        , 2.71828183, 0.        ,        inf])
    """
    r, n = reduced(clamped(x, *RANGE[x.kind]))
    return times_power_of_two(polynomial(r, EXP[x.kind]), n.bits())


def expm1(x: Vector) -> Vector:
    """e^x - 1 within 1.5 ulp, near 0 too: expm1(-0) is -0, and expm1(-infinity) is -1.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import expm1
    >>> of_arrays(expm1, np.array([1e-20, 1, -np.inf]))
    array([ 1.00000000e-20,  1.71828183e+00, -1.00000000e+00])
    """
    r, n = reduced(clamped(x, -format_of(x).fraction, RANGE[x.kind][1]))
    y = add_exp_rest(r + (1 - inverse_power(n)), r)
    return where(x == 0, x, times_power_of_two(y, n.bits()))


def sigmoid(x: Vector) -> Vector:
    """1/(1 + e^-x) within 1.1 ulp, down to its subnormal numbers: 0 at -infinity, 1/2 at 0, 1 at infinity.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import sigmoid
    >>> of_arrays(sigmoid, np.array([-np.inf, -700, 0, 2]))
    array([0.00000000e+000, 9.85967654e-305, 5.00000000e-001, 8.80797078e-001])
    """
    y, y_low, n = exp_of_minus(x)
    c = inverse_power(n)
    d, d_low = fast_two_sum(x.number(1), y * c)
    negative = x < 0
    top = where(negative, y, 1), where(negative, y_low, 0)
    q = two_over_two(top, (d, fma(y_low, c, d_low)))
    return times_power_of_two(q, where(negative, -n.bits(), 0))


def exp_of_minus(x: Vector) -> tuple[Vector, Vector, Vector]:
    """e^-|x| = (high + low) 2^-n: high and low, a pair, and what `nearest` gives of n.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import exp_of_minus
    >>> of_arrays(lambda x: exp_of_minus(x)[0], np.array([0.0, 0.5, -0.5]))
    array([1.        , 1.21306132, 1.21306132])
    """
    r, n = reduced(clamped(absolute(x), 0, -RANGE[x.kind][0]))
    return *fast_two_sum(1, add_exp_rest(-r, -r)), n


def reduced(x: Vector) -> Pair:
    """x = r + n log(2), |r| <= log(2)/2: r, and what `nearest` gives of n. e^x is finite and not 0.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import reduced
    >>> of_arrays(lambda x: reduced(x)[0], np.array([0.0, 0.3, 1.0]))
    array([0.        , 0.3       , 0.30685282])
    """
    n, shifted = nearest(x, 1 / math.log(2))
    high, low = LN2[x.kind]
    return fma(n, -low, fma(n, -high, x)), shifted


def add_exp_rest(start: Vector, r: Vector) -> Vector:
    """start + (e^r - 1 - r) for |r| <= log(2)/2, rounded once more than e^r - 1 - r.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import add_exp_rest
    >>> of_arrays(lambda r: add_exp_rest(r, r), np.array([0, 1e-9, 0.25]))
    array([0.00000000e+00, 1.00000000e-09, 2.84025417e-01])
    """
    return fma(r * r, polynomial(r, EXP[r.kind][2:]), start)


def inverse_power(n: Vector) -> Vector:
    """2^-n of what `nearest` gives of n; 0 where that is lost beside 1.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import nearest
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.exponential import inverse_power
    >>> of_arrays(lambda n: inverse_power(nearest(n)[1]), np.array([-1.0, 2.0, 99.0]))
    array([2.  , 0.25, 0.  ])
    """
    digits = format_of(n).fraction + 2
    return where(n > format_of(n).whole + digits, 0, power_of_two(-n.bits(), n.kind))
