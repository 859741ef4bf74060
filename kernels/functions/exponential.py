"""e^x and what is made of it, within 2 ulp."""

import math

from .arithmetic import Pair, clamped, nearest, polynomial, times_power_of_two
from .vector import Vector, fma

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
LN2 = {"double": (math.log(2), 2.3190468138462996e-17), "float": (0.693147182464599609375, -1.904654323148236e-09)}
RANGE = {"double": (-746.0, 710.0), "float": (-104.0, 89.0)}  # beyond, e^x is 0 or infinite


def exp(x: Vector) -> Vector:
    """e^x."""
    x = clamped(x, *RANGE[x.kind])
    n, shifted = nearest(x * (1 / math.log(2)))
    high, low = LN2[x.kind]
    r = fma(n, -low, fma(n, -high, x))
    return times_power_of_two(polynomial(r, EXP[x.kind]), shifted.bits())
