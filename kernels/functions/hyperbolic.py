"""Hyperbolic functions, within 2 ulp."""

from .arithmetic import polynomial, power_of_two
from .exponential import EXP, reduced
from .vector import Vector, absolute, copysign, fma, where

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
SMALL = 0.625  # from here on tanh is found from e^2x, below by TANH
ONE = {"double": 20.0, "float": 10.0}  # from here on tanh is 1


def tanh(x: Vector) -> Vector:
    """tanh(x)."""
    size, z = absolute(x), x * x
    small = fma(x * z, polynomial(z, TANH[x.kind]), x)
    r, n = reduced(where(size > ONE[x.kind], ONE[x.kind], size) * 2)
    e = polynomial(r, EXP[x.kind]) * power_of_two(n.bits(), x.kind)
    return copysign(where(size < SMALL, small, 1 - 2 / (e + 1)), x)
