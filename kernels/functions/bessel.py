"""Bessel functions J0 and J1.

Up to 1.75 the power series; up to 7 a polynomial in x^2, times x^2 - z^2 for three zeros z; beyond 7
amplitudes that are polynomials in 1/x^2, times the sine and the cosine of x (Hankel's form: Abramowitz and
Stegun, 9.2.5), which J0 and J1 of one argument share.

Coefficients: `python -m scripts.special_coefficients`.
"""

import math

from .arithmetic import polynomial
from .circular import LIMIT, or_library, sine_and_cosine, with_sign
from .instructions import absolute, fma, lane_by_lane, rarely, sqrt, through_doubles, where
from .vector import Vector

Table = tuple[tuple[float, float], tuple[float, ...]]  # the first coefficient as a pair; the others
J0_MIDDLE = (  # J0(x) over x^2 - z^2 for its first three zeros z, of x^2/32 - 1
    (-2.6662941994458524e-05, -1.4423166126902748e-21),
    (
        2.9532957425506736e-05,
        -1.4423681512582505e-05,
        4.19663832256583e-06,
        -8.272804159783979e-07,
        1.1892767699589979e-07,
        -1.3086636320739218e-08,
        1.1411484161616145e-09,
        -8.094862397454977e-11,
        4.768506939352687e-12,
        -2.3719542180200254e-13,
        1.0101614986635393e-14,
        -3.7384485175681744e-16,
        1.2059252528869032e-17,
    ),
)
J1_MIDDLE = (  # J1(x)/x likewise
    (-2.7271448834411237e-06, 1.8857102031264823e-22),
    (
        2.552238212464633e-06,
        -1.0759319268040335e-06,
        2.7483022124820187e-07,
        -4.8218642035079725e-08,
        6.2391661263023405e-09,
        -6.23765743695993e-10,
        4.981043285887049e-11,
        -3.257660129765792e-12,
        1.7796220904321522e-13,
        -8.250970756208226e-15,
        3.289852605815828e-16,
        -1.1439948591400657e-17,
        3.4809935343380113e-19,
    ),
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
# Of 98/x^2 - 1: Jn(x) = sqrt(2/(pi x)) (P cos(c) - Q/x sin(c)), c = x - (2n + 1) pi/4
J0_P = (
    (0.9992936510746443, 3.604512427808041e-17),
    (
        -0.0006957270316186481,
        1.0160279334105559e-05,
        -4.248046859556955e-07,
        3.243223360783499e-08,
        -3.6861088544900615e-09,
        5.563753174084743e-10,
        -1.0388595315303767e-10,
        2.3038563482038577e-11,
        -5.841451233413175e-12,
        1.4348884966543932e-12,
        -4.045994091277137e-13,
        2.8197785199520825e-13,
        -1.117380635921733e-13,
    ),
)
J0_Q = (
    (-0.12427466007840868, 2.1459663294699773e-18),
    (
        0.0007047468357978811,
        -1.93099470030401e-05,
        1.1528479983800885e-06,
        -1.1180338012179303e-07,
        1.5141051286733917e-08,
        -2.6172389004477674e-09,
        5.450012576406092e-10,
        -1.3271289658101295e-10,
        3.643769721177575e-11,
        -9.175099281260539e-12,
        2.6756577647060445e-12,
        -2.2007840755664775e-12,
        9.182564657770662e-13,
    ),
)
J1_P = (
    (1.001181431650624, 8.128886535040685e-17),
    (
        0.0011676721756135916,
        -1.3207950427520442e-05,
        5.092329346555562e-07,
        -3.737606927610537e-08,
        4.1507631080655544e-09,
        -6.170482741462825e-10,
        1.139803998372106e-10,
        -2.5070279281512384e-11,
        6.315996410691979e-12,
        -1.5471918585099871e-12,
        4.349729639817176e-13,
        -3.00220900057199e-13,
        1.1859578024617236e-13,
    ),
)
J1_Q = (
    (0.37398071139567635, -2.1107095843786925e-17),
    (
        -0.0009939296259104877,
        2.3862481873726505e-05,
        -1.3489246499985081e-06,
        1.2700966332304324e-07,
        -1.6886061113207928e-08,
        2.8823468719461566e-09,
        -5.947347647071843e-10,
        1.4378231667720976e-10,
        -3.9252398880778454e-11,
        9.867335182344208e-12,
        -2.8711082389657875e-12,
        2.3376082692834776e-12,
        -9.725529706877708e-13,
    ),
)


@through_doubles
def j0(x: Vector) -> Vector:
    """J0(x) within 4.5 ulp up to 7, its zeros included; beyond 7 within 5e-16/sqrt(|x|). 0 at infinity.

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
    """J1(x) within 4.5 ulp up to 7, its zeros included; beyond 7 within 5e-16/sqrt(|x|).

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
    """J1(x)/x within 4.5 ulp up to 7, its zeros included; beyond 7 within 5e-16/|x|^1.5.

    1/2 at 0, 0 at infinity.

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
    """near up to 1.75, middle up to 7, far beyond."""
    return where(size < 1.75, near, where(size > 7, far, middle))


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
    place = fma(98 * inverse, inverse, -1.0)
    waves = fma(_of_table(place, p), cosine, -(_of_table(place, q) * inverse) * sine)
    return waves * ((1 / math.sqrt(math.pi)) / sqrt(x))


def _of_table(q: Vector, table: Table) -> Vector:
    (first, low), rest = table
    return fma(q, polynomial(q, rest), low) + first
