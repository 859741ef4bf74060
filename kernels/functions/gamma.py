"""lgamma and digamma.

Up to 10 an argument is brought between 1 and 2.5 by the recurrence, where a polynomial is precise; beyond 10
there are the asymptotic series; negative arguments are reflected.
Coefficients: `python -m scripts.special_coefficients`.
"""

import math

from .arithmetic import clamped, polynomial, two_chains
from .instructions import absolute, fma, through_doubles, where
from .logarithm import branchless_log
from .sinc import half_turns
from .vector import Vector

LOG_GAMMA = (0.4501393121092563, 1.458857443456773e-17)  # log Gamma(1 + t) over t (t - 1), at t = 3/4
LOG_GAMMA_REST = (  # what comes to it, over q = t - 3/4
    -0.11948158662524266,
    0.044520447198509394,
    -0.019053957830261353,
    0.008776370425278911,
    -0.00422619412516532,
    0.0020955338792023144,
    -0.0010605660943151561,
    0.0005448970031374375,
    -0.00028319035422703876,
    0.00014851663517558285,
    -7.846409510572801e-05,
    4.17062857959138e-05,
    -2.226800588314595e-05,
    1.1945816117960494e-05,
    -6.488497543800692e-06,
    3.516893875615291e-06,
    -1.7663730867731053e-06,
    9.41640126227377e-07,
    -7.578504570526509e-07,
    4.3563120177338296e-07,
    3.517591929231489e-08,
    -3.405542058584176e-08,
    -1.581232626868646e-07,
    9.133153705117035e-08,
)
PSI_ZERO = (0.46163214496836236, -1.5522348162858677e-17)  # psi(1 + t) is 0 here
PSI = (0.8581832171262995, -7.689493884253281e-18)  # psi(1 + t) over t - PSI_ZERO, at t = 3/4
PSI_REST = (  # what comes to it, over q = t - 3/4
    -0.3262546278681058,
    0.15712011335204287,
    -0.08228558635575735,
    0.04479965445273798,
    -0.02489004849025654,
    0.013985786186244494,
    -0.007910468741890895,
    0.004491813645218693,
    -0.0025566870396132296,
    0.001457375613883128,
    -0.0008314921032409579,
    0.0004746723197156399,
    -0.00027112289250579057,
    0.0001548809760299529,
    -8.824999326554356e-05,
    5.037042691165883e-05,
    -2.954281080800731e-05,
    1.700303087816099e-05,
    -7.97143148460127e-06,
    4.35328035900415e-06,
    -5.204438819790702e-06,
    3.1881461169990284e-06,
    9.27325406510637e-07,
    -6.623542681592597e-07,
    -1.2506171287653083e-06,
    7.50864018126873e-07,
)
STIRLING = (  # B(2k)/(2k (2k - 1)): log Gamma(x) = (x - 1/2)(log(x) - 1) + STIRLING_START + STIRLING(1/x^2)/x
    0.08333333333333333,
    -0.002777777777777778,
    0.0007936507936507937,
    -0.0005952380952380953,
    0.0008417508417508417,
    -0.0019175269175269176,
    0.00641025641025641,
    -0.029550653594771242,
)
STIRLING_START = 0.4189385332046727  # (log(2 pi) - 1)/2
PSI_SERIES = (  # -B(2k)/(2k): psi(x) = log(x) - 1/(2x) + PSI_SERIES(1/x^2)/x^2
    -0.08333333333333333,
    0.008333333333333333,
    -0.003968253968253968,
    0.004166666666666667,
    -0.007575757575757576,
    0.021092796092796094,
    -0.08333333333333333,
    0.4432598039215686,
)


@through_doubles
def lgamma(x: Vector) -> Vector:
    """log |Gamma(x)| within 2.2 ulp, for negative x within 1e-15 (1 + |lgamma(x)|).

    Infinite at 0, -1, -2, ... Reflected by Gamma(x) Gamma(-x) = -pi/(x sin(pi x)).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.gamma import lgamma
    >>> of_arrays(lgamma, np.array([1.0, 0.5, -1.5, -2.0]))
    array([0.        , 0.57236494, 0.86004702,        inf])
    """
    size, negative = absolute(x), x < 0
    large, small = size > 10, size < 1
    t, product, _ = _reduced(clamped(size, 0, 10))
    near = t * (t - 1) * _smooth(t, LOG_GAMMA, LOG_GAMMA_REST)
    rest = where(large, _stirling(size), near)
    product = where(large, 1, product)
    sine = absolute(half_turns(size)[0])
    reflected = sine * where(small, 1, size * product)
    logarithm = branchless_log(where(negative, reflected, where(small, size, product)))
    y = where(negative | small, -logarithm, logarithm) + where(negative, -rest, rest)
    return where(negative & ~(sine > 0), math.inf, y)


@through_doubles
def digamma(x: Vector) -> Vector:
    """psi(x), the derivative of log Gamma, within 3 ulp.

    For negative x it is within 1e-15 (|psi(x)| + |pi/tan(pi x)|).
    -inf at 0, inf at -0, NaN at -1, -2, ... Reflected by psi(x) = psi(1 - x) - pi/tan(pi x).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.gamma import digamma
    >>> of_arrays(digamma, np.array([1.0, 0.5, -1.5, 0.0]))
    array([-0.57721566, -1.96351003,  0.70315664,        -inf])
    """
    negative = x < 0
    positive = where(negative, 1 - x, x)
    y = where(positive > 10, _psi_series(positive), _psi_near(positive))
    sine, cosine = half_turns(absolute(x))
    reflected = y + where(sine == 0, math.nan, cosine / sine * math.pi)
    return where(negative, reflected, y)


def _psi_near(x: Vector) -> Vector:
    """psi(x) for 0 <= x <= 10."""
    t, product, slope = _reduced(clamped(x, 0, 10))
    small = x < 1
    steps = where(small, -1, slope) / where(small, x, product)
    high, low = PSI_ZERO
    return fma((t - high) - low, _smooth(t, PSI, PSI_REST), steps)


def _psi_series(x: Vector) -> Vector:
    inverse = 1 / x
    square = inverse * inverse
    return branchless_log(x) + fma(inverse, -0.5, square * polynomial(square, PSI_SERIES))


def _stirling(x: Vector) -> Vector:
    inverse = 1 / x
    start = fma(inverse, polynomial(inverse * inverse, STIRLING), STIRLING_START)
    return fma(x - 0.5, branchless_log(x) - 1, start)


def _reduced(x: Vector) -> tuple[Vector, Vector, Vector]:
    """t, product, slope for 0 <= x <= 10: the product of x - 1, x - 2, ..., down to 1 + t <= 2.5, so that
    Gamma(x) = product Gamma(1 + t); its derivative. Below 1, t = x, and Gamma(x) = Gamma(1 + t)/x."""
    product, slope = x.number(1), x.number(0)
    for _ in range(8):
        more, less = x > 2.5, x - 1
        slope = where(more, fma(slope, less, product), slope)
        product = where(more, product * less, product)
        x = where(more, less, x)
    return where(x < 1, x, x - 1), product, slope


def _smooth(t: Vector, first: tuple[float, float], rest: tuple[float, ...]) -> Vector:
    q = t - 0.75
    return fma(q, two_chains(q, rest), first[1]) + first[0]
