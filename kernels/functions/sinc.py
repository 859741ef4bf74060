"""sinc and its slope.

x loses the nearest multiple of 1/2, exactly; polynomials give sine and cosine of what is left, over pi.

Coefficients: `python -m scripts.special_coefficients`.
"""

import math

from .arithmetic import nearest, polynomial
from .circular import bit_as_sign, is_odd, with_sign
from .instructions import absolute, fma, rint, through_doubles, where
from .vector import Vector

HALF_TURN_SINE = (  # sin(pi r)/pi = r + r^3 HALF_TURN_SINE(r^2)
    -1.644934066848223,
    0.8117424252823005,
    -0.1907518240125647,
    0.026147842588434896,
    -0.0023459548592284435,
    0.00014693061231928862,
)
HALF_TURN_COSINE = (  # cos(pi r)/pi = 1/pi + r^2 HALF_TURN_COSINE(r^2)
    -1.5707963267948966,
    1.2919281950124717,
    -0.425027339977173,
    0.07490806603644519,
    -0.008214584986943725,
    0.0006141457847055002,
    -3.286229007943898e-05,
)
INVERSE_PI = (1 / math.pi, -1.9678676675182486e-17)  # as a pair
SINC_SLOPE = (  # the slope of sinc is x SINC_SLOPE(x^2), up to 1/2
    -3.289868133696453,
    3.2469697011333842,
    -1.144510944730011,
    0.20918278246277794,
    -0.02346080913828341,
    0.0017811352471261354,
    -9.761405263212422e-05,
    3.931734747240623e-06,
    -1.2148136403366252e-08,
)


@through_doubles
def sinc(x: Vector) -> Vector:
    """sin(pi x)/(pi x), 1 at 0, within 2 ulp; like NumPy's, NaN at infinity.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.sinc import sinc
    >>> of_arrays(sinc, np.array([0.0, 0.5, 1.5]))
    array([ 1.        ,  0.63661977, -0.21220659])
    """
    size = absolute(x)
    return where(size == 0, 1, half_turns(size)[0] / size)


@through_doubles
def sinc_slope(x: Vector) -> Vector:
    """The derivative of sinc: (cos(pi x) - sinc(x))/x, 0 at 0.

    Within 2 ulp up to 1/2, beyond it within 3e-16/|x|; NaN at infinity.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.sinc import sinc_slope
    >>> of_arrays(sinc_slope, np.array([0.0, 0.5, 1.0]))
    array([-0.        , -1.27323954, -1.        ])
    """
    size = absolute(x)
    sine, cosine = half_turns(size)
    far = (cosine * math.pi - sine / size) / x
    return where(size > 0.5, far, x * polynomial(x * x, SINC_SLOPE))


def half_turns(size: Vector) -> tuple[Vector, Vector]:
    """sin(pi size)/pi and cos(pi size)/pi within 1.2 ulp, for size >= 0; 0 and 1/pi of large ones, all even.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.sinc import half_turns
    >>> of_arrays(lambda x: half_turns(x)[0] * np.pi, np.array([0.5, 1.5, 2.0]))
    array([ 1., -1.,  0.])
    """
    turn = fma(rint(size * 0.5), -2.0, size)
    n, shifted = nearest(turn * 2)
    quarters, r = shifted.bits(), fma(n, -0.5, turn)
    square = r * r
    sine = fma(r * square, polynomial(square, HALF_TURN_SINE), r)
    cosine = fma(square, polynomial(square, HALF_TURN_COSINE), INVERSE_PI[1]) + INVERSE_PI[0]
    odd = is_odd(quarters)
    return (
        with_sign(where(odd, cosine, sine), bit_as_sign(quarters, 1)),
        with_sign(where(odd, sine, cosine), bit_as_sign(quarters + 1, 1)),
    )
