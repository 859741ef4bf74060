"""Bessel functions J0 and J1.

Up to 1.75 the power series; up to 8 a polynomial in x^2, times x^2 - z^2 for three zeros z; beyond 8
amplitudes that are polynomials in 1/x^2, times the sine and the cosine of x (Hankel's form: Abramowitz and
Stegun, 9.2.5), which J0 and J1 of one argument share.

Coefficients, the first of each as a pair: `python -m scripts.special_coefficients`.
"""

import math

from .arithmetic import polynomial
from .circular import LIMIT, or_library, sine_and_cosine, with_sign
from .vector import Vector, absolute, fma, lane_by_lane, rarely, sqrt, through_doubles, where

Table = tuple[tuple[float, float] | float, ...]
J0_MIDDLE = (  # J0(x) over x^2 - z^2 for its first zeros z, of x^2/32 - 1
    (-2.6662941994458514e-05, -1.1626099263594128e-22),
    2.953295742550657e-05,
    -1.4423681512582903e-05,
    4.196638322570104e-06,
    -8.272804159759214e-07,
    1.1892767696418722e-07,
    -1.3086636323392042e-08,
    1.1411485148366356e-09,
    -8.094863360635003e-11,
    4.768362662583675e-12,
    -2.371751203335137e-13,
    1.020001100295948e-14,
    -3.839642971848852e-16,
    -1.3121000023488327e-17,
)
J1_MIDDLE = (  # J1(x)/x likewise
    (-2.7271448834411237e-06, -2.0874288306088607e-22),
    2.552238212464627e-06,
    -1.0759319268040608e-06,
    2.7483022124844026e-07,
    -4.82186420349303e-08,
    6.239166124494548e-09,
    -6.237657437610823e-10,
    4.981043838587843e-11,
    -3.257660719488251e-12,
    1.7795405275310336e-13,
    -8.250032626453848e-15,
    3.3480286967564255e-16,
    -1.1845415063582493e-17,
    -1.264348770741689e-18,
)
J0_ZEROS = (  # their squares, as pairs
    (5.783185962946784, 4.123247343506204e-16),
    (30.471262343662087, -2.366534485750659e-16),
    (74.88700679069518, 1.7099708902593308e-15),
)
J1_ZEROS = (  # their squares, as pairs
    (14.681970642123893, -9.858177825793294e-17),
    (49.2184563216946, 5.086354069436341e-16),
    (103.49945389513658, -2.2274203792450066e-15),
)
J0_P = (  # of 128/x^2 - 1: Jn(x) = sqrt(2/(pi x)) (P cos(c) - Q/x sin(c)), c = x - (2n + 1) pi/4
    (0.9994572757882519, 1.2441397958944375e-17),
    -0.0005363673192129672,
    6.137416080109497e-06,
    -2.0527448261170675e-07,
    1.280376144080092e-08,
    -1.2121098178951377e-09,
    1.5500565496632596e-10,
    -2.491146535471666e-11,
    4.786995821368027e-12,
    -1.0157485021065676e-12,
    2.453177296734502e-13,
    -1.0251790052831012e-13,
    3.339452259070804e-14,
)
J0_Q = (  # likewise
    (-0.12444091103610816, 5.201041834491089e-18),
    0.0005466519279472034,
    -1.1817110660715592e-05,
    5.684971972265847e-07,
    -4.5349736139769986e-08,
    5.1461591930522475e-09,
    -7.57586453075858e-10,
    1.364832378469862e-10,
    -2.8840344824996493e-11,
    6.538016467992787e-12,
    -1.6783779045026522e-12,
    7.915216052472426e-13,
    -2.7338449247237073e-13,
)
J1_P = (  # likewise
    (1.0009070262780821, 2.0042215216472097e-17),
    0.0008988049416705183,
    -7.9596946984383e-06,
    2.453676633366693e-07,
    -1.4708512991275258e-08,
    1.3602969253877949e-09,
    -1.713107485294131e-10,
    2.72345126828134e-11,
    -5.191158004646548e-12,
    1.0954826479277623e-12,
    -2.633576067246111e-13,
    1.0923713653079461e-13,
    -3.5455617466606203e-14,
)
J1_Q = (  # likewise
    (0.3742149922195918, 1.2984130586869803e-17),
    -0.0007697167057640292,
    1.4569614809339924e-05,
    -6.633568656664936e-07,
    5.136106815451932e-08,
    -5.72081439754336e-09,
    8.315586321594619e-10,
    -1.4842814504504144e-10,
    3.114394221334651e-11,
    -7.028011349149165e-12,
    1.7969644745734616e-12,
    -8.412485658069599e-13,
    2.896094083115375e-13,
)


@through_doubles
def j0(x: Vector) -> Vector:
    """J0(x): its error is at most 5e-16, and 5e-16/sqrt(|x|) beyond 8; 1 at 0, 0 at infinity.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.bessel import j0
    >>> of_arrays(j0, np.array([0.0, 1.0, 10.0]))
    array([ 1.        ,  0.76519769, -0.24593576])
    """
    size = absolute(x)
    sine, cosine = sine_and_cosine(size)
    far = _far(size, cosine + sine, sine - cosine, J0_P, J0_Q)
    y = _joined(size, _near(size, 1, 0), _middle(size, J0_MIDDLE, J0_ZEROS), far)
    return or_library("j0", x, size, y)


@through_doubles
def j1(x: Vector) -> Vector:
    """J1(x): its error is at most 5e-16, and 5e-16/sqrt(|x|) beyond 8; up to 1 within 2 ulp.

    0 at infinity; -0 stays -0.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.bessel import j1
    >>> of_arrays(j1, np.array([0.0, 1.0, 10.0]))
    array([0.        , 0.44005059, 0.04347275])
    """
    size = absolute(x)
    near, middle = size * _near(size, 0.5, 1), size * _middle(size, J1_MIDDLE, J1_ZEROS)
    return or_library("j1", x, size, with_sign(_joined(size, near, middle, _far_j1(size)), x.bits()))


@through_doubles
def j1_over_x(x: Vector) -> Vector:
    """J1(x)/x, 1/2 at 0, 0 at infinity: its error is that of J1 over |x|; up to 1 within 2 ulp.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.bessel import j1_over_x
    >>> of_arrays(j1_over_x, np.array([0.0, 1.0, 10.0]))
    array([0.5       , 0.44005059, 0.00434727])
    """
    size = absolute(x)
    y = _joined(size, _near(size, 0.5, 1), _middle(size, J1_MIDDLE, J1_ZEROS), _far_j1(size) / size)
    return rarely(size > LIMIT["double"], lambda: lane_by_lane("j1", size) / size, y)


def _joined(size: Vector, near: Vector, middle: Vector, far: Vector) -> Vector:
    """near up to 1.75, middle up to 8, far beyond."""
    return where(size < 1.75, near, where(size > 8, far, middle))


def _near(x: Vector, start: float, n: int) -> Vector:
    """The power series of Jn(x)/x^n, which begins with `start`."""
    square = x * x
    terms = [start * (-0.25) ** k / (math.factorial(k) * math.factorial(k + n)) for k in range(1, 12)]
    return fma(square, polynomial(square, terms), start)


def _middle(x: Vector, table: Table, zeros: tuple[tuple[float, float], ...]) -> Vector:
    y = _of_table(fma(x, x * (1 / 32), -1.0), table)
    for high, low in zeros:
        y = y * (fma(x, x, -high) - low)
    return y


def _far_j1(x: Vector) -> Vector:
    sine, cosine = sine_and_cosine(x)
    return _far(x, sine - cosine, -(sine + cosine), J1_P, J1_Q)


def _far(x: Vector, cosine: Vector, sine: Vector, p: Table, q: Table) -> Vector:
    """From sqrt(2) times the cosine and the sine of x - (2n + 1) pi/4."""
    inverse = 1 / x
    place = fma(128 * inverse, inverse, -1.0)
    waves = fma(_of_table(place, p), cosine, -(_of_table(place, q) * inverse) * sine)
    return waves * ((1 / math.sqrt(math.pi)) / sqrt(x))


def _of_table(q: Vector, table: Table) -> Vector:
    (first, low), *rest = table
    return fma(q, polynomial(q, rest), low) + first
