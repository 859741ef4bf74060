"""erf, erfc, erfcx.

Near 0, erf is a polynomial; far from it the complement is exp(-x^2) times a smooth function.
Coefficients: `python -m scripts.special_coefficients`.
"""

import math

from .arithmetic import (
    Pair,
    clamped,
    fast_two_sum,
    polynomial,
    times_power_of_two,
    two_chains,
    two_over_two,
    two_product,
    two_sum,
)
from .exponential import add_exp_rest, exp, reduced
from .instructions import absolute, copysign, fma, where
from .vector import Vector

ERF_NEAR = {  # erf(x) = x + x ERF_NEAR(x^2) for |x| <= 1
    "double": (
        0.12837916709551256,
        -0.37612638903183343,
        0.11283791670936927,
        -0.02686617064195052,
        0.005223977596618577,
        -0.0008548325476834209,
        0.00012055280166924753,
        -1.4924457477988398e-05,
        1.6444024986133408e-06,
        -1.618282185554241e-07,
        1.3610676548233747e-08,
        -7.594660185462839e-10,
    ),
    "float": (
        0.12837916612625122,
        -0.3761262595653534,
        0.11283578723669052,
        -0.026853347197175026,
        0.005187162198126316,
        -0.0007997853099368513,
        7.806903158780187e-05,
    ),
}
ERF_FAR = {  # erf(x) = 1 - exp(-x^2) ERF_FAR(x - 2) from 1 on, until it rounds to 1
    "double": (
        0.25539567631050564,
        -0.10679646185348916,
        0.04180275260354444,
        -0.01546063776427264,
        0.005440738537068786,
        -0.001831664276428014,
        0.0005924699983864068,
        -0.00018477836128886026,
        5.572830428492279e-05,
        -1.6293740881919858e-05,
        4.628198538500581e-06,
        -1.279479850555756e-06,
        3.448215689299579e-07,
        -9.07851107141627e-08,
        2.3375118369947493e-08,
        -5.8492139772543525e-09,
        1.423208175345247e-09,
        -3.550278688904936e-10,
        9.316477104319675e-11,
        -2.1420598203014723e-11,
        3.2169578207476143e-12,
        -2.167888889888742e-13,
    ),
    "float": (
        0.2553955912590027,
        -0.10679781436920166,
        0.04180188477039337,
        -0.015442012809216976,
        0.005475183948874474,
        -0.0018605849472805858,
        0.0005018217489123344,
        -0.00020046866848133504,
        0.00010820784518728033,
    ),
}
ERF_IS_ONE = {"double": 6.0, "float": 4.0}
SCALED_COMPLEMENT = {  # (x + 1/2) erfcx(x) at q = (x - 4)/(x + 4) = 0
    "double": (0.6164975593127763, -2.247972756269453e-17),
    "float": (0.6164975762367249, -1.751683420536665e-08),
}
SCALED_COMPLEMENT_REST = {  # what comes to it at q, over q
    "double": (
        -0.06981055842028115,
        0.007689826051309802,
        0.03404852712733454,
        -0.05051953301815028,
        0.0468664174995472,
        -0.033165182906093486,
        0.018583757763277836,
        -0.008098867029899632,
        0.0025159850338287446,
        -0.0003788866306865478,
        -9.962857330545594e-05,
        7.531074500620235e-05,
        -1.2198873211218208e-05,
        -5.610643506176743e-06,
        2.853302207447867e-06,
        1.459866688981506e-07,
        -4.105469521280284e-07,
        3.873496363508971e-08,
        5.316927809297442e-08,
        -1.02803246378496e-08,
        -6.173433021911765e-09,
        1.5847940957824086e-09,
        4.655872489116286e-10,
        -1.3297998451213446e-10,
    ),
    "float": (
        -0.06981054693460464,
        0.007689884398132563,
        0.034048087894916534,
        -0.05052047222852707,
        0.04687010124325752,
        -0.0331595204770565,
        0.018570229411125183,
        -0.008115195669233799,
        0.0025411348324269056,
        -0.0003545664076227695,
        -0.00012421836436260492,
        5.710408731829375e-05,
    ),
}
ERFC_IS_ZERO = {"double": 28.0, "float": 10.5}
ERFCX_IS_INFINITE = {"double": -27.0, "float": -9.5}


def erf(x: Vector) -> Vector:
    """erf(x) within 2 ulp; -0 stays -0. Far from 0 it shares exp(-x^2) with its derivative.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.error import erf
    >>> of_arrays(erf, np.array([0.0, 0.5, -np.inf]))
    array([ 0.        ,  0.52049988, -1.        ])
    """
    size, square = absolute(x), x * x
    near = fma(x, polynomial(square, ERF_NEAR[x.kind]), x)
    last = ERF_IS_ONE[x.kind]
    beyond = where(size > last, last, size) - 2
    far = fma(-exp(-square), two_chains(beyond, ERF_FAR[x.kind]), 1)
    return where(size < 1, near, copysign(far, x))


def erfc(x: Vector) -> Vector:
    """1 - erf(x) within 2 ulp, also in the tail, down to the least subnormal number.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.error import erfc
    >>> of_arrays(erfc, np.array([0.0, 26.0, -np.inf]))
    array([1.00000000e+000, 5.66319241e-296, 2.00000000e+000])
    """
    size = clamped(absolute(x), 0, ERFC_IS_ZERO[x.kind])
    scaled, (rest, n) = _positive_erfcx(size), _expm1_of_square(size, -1)
    tail = times_power_of_two(fma(scaled, rest, scaled), n)
    return where(x == 0, 1, where(x < 0, 2 - tail, tail))


def erfcx(x: Vector) -> Vector:
    """exp(x^2) erfc(x) within 2 ulp: 1/(sqrt(pi) x) far on the right, infinite from -26.7 down.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.error import erfcx
    >>> of_arrays(erfcx, np.array([0.0, 1e300, -27.0]))
    array([1.00000000e+000, 5.64189584e-301,             inf])
    """
    size = absolute(x)
    scaled = _positive_erfcx(clamped(size, 0, 2.0**60))
    rest, n = _expm1_of_square(clamped(size, 0, -ERFCX_IS_INFINITE[x.kind]), 1)
    left = 2 * times_power_of_two(rest + 1, n) - scaled
    left = where(size < 0.55, fma(2.0, rest, 2 - scaled), left)
    far = where(size > 2.0**60, 1 / math.sqrt(math.pi) / size, scaled)
    return where(x < 0, left, far)


def _positive_erfcx(x: Vector) -> Vector:
    """erfcx(x) for 0 <= x <= 2^60 within 1 ulp.

    A smooth function of (x - 4)/(x + 4) over x + 1/2, as in Shepherd and Laframboise, "Chebyshev
    approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", Mathematics of Computation 36 (1981).
    """
    inverse = 1 / (x + 4)
    near = (x - 4) * inverse
    rest = fma(near, -x, fma(near + 1, -4.0, x))
    q = fma(inverse, rest, near)
    slope = 0.87 * (q * q) * (q * q)  # roughly, of what is computed: it counts near q = -1
    first, low = SCALED_COMPLEMENT[x.kind]
    low = fma(fma(inverse, rest, near - q), slope, low)
    above = fast_two_sum(q.number(first), fma(q, two_chains(q, SCALED_COMPLEMENT_REST[x.kind]), low))
    return two_over_two(above, two_sum(x, 0.5))


def _expm1_of_square(x: Vector, sign: int) -> Pair:
    """y and n of exp(sign x^2) = (1 + y) 2^n: |y| < 1/2, n an integer."""
    high, low = two_product(x, sign * x)
    r, n = reduced(high)
    r = r + low
    return add_exp_rest(r, r), n.bits()
