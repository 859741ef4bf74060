"""What elementary functions are made of: polynomials, sums of two numbers, powers of 2.

A number more precise than its kind is a pair (high, low), high + low, |low| at most half an ulp of high:
Dekker, "A floating-point technique for extending the available precision", 1971.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from .instructions import fma, where
from .vector import Number, Vector

Pair = tuple[Vector, Vector]


@dataclass(frozen=True)
class Format:
    """How numbers of a kind are stored: sign, biased exponent, `fraction` bits."""

    fraction: int
    bias: int
    codes: tuple[str, str]  # struct's, of a number and of an integer of its size

    @property
    def least(self) -> float:
        """The least normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def whole(self) -> float:
        """Added to a number below 2^(fraction - 1), and taken away, it leaves a whole number; between the two
        steps the bits end in it."""
        return 1.5 * 2.0**self.fraction

    def bits(self, value: float) -> int:
        """The bits of `value` as an integer."""
        number, integer = self.codes
        return struct.unpack(integer, struct.pack(number, value))[0]


FORMATS = {"double": Format(52, 1023, ("d", "q")), "float": Format(23, 127, ("f", "i"))}
LN2 = {  # log(2): pair(lambda: mpmath.log(2), kind) of scripts.coefficients
    "double": (0.6931471805599453, 2.3190468138462996e-17),
    "float": (0.6931471824645996, -1.9046542121259336e-09),
}


def format_of(x: Vector) -> Format:
    """The format of a vector's numbers.

    >>> from packtrain.kernels.functions.arithmetic import format_of
    >>> from packtrain.kernels.functions.vector import Module, Place
    >>> format_of(Place(Module()).number(1, "double", 8)).fraction
    52
    """
    return FORMATS[x.kind]


def is_normal(x: Vector) -> Vector:
    """Where x is positive, finite and not subnormal.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import is_normal
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: is_normal(x).to("double"), np.array([-1.0, 0, 5e-324, 3, np.inf]))
    array([0., 0., 0., 1., 0.])
    """
    return (x >= format_of(x).least) & (x < math.inf)


def polynomial(x: Vector, coefficients: Sequence[Number]) -> Vector:
    """c[0] + c[1] x + c[2] x^2 + ... by Horner's rule, an fma a step.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import polynomial
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: polynomial(x, [1, 2, 3]), np.array([0.0, 1.0, 10.0]))
    array([  1.,   6., 321.])
    """
    value: Vector | Number = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        value = fma(value, x, c)
    return value if isinstance(value, Vector) else x.number(value)


def two_chains(x: Vector, coefficients: Sequence[Number]) -> Vector:
    """`polynomial` as even(x^2) + x odd(x^2), which are computed side by side: sooner, where many are.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import two_chains
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: two_chains(x, [1, 2, 3]), np.array([0.0, 1.0, 10.0]))
    array([  1.,   6., 321.])
    """
    square = x * x
    return fma(polynomial(square, coefficients[1::2]), x, polynomial(square, coefficients[::2]))


def short_polynomial(x: Vector, coefficients: Sequence[Number]) -> Vector:
    """`polynomial` by Estrin's scheme: a chain of log2(degree) steps, and half an ulp less exact.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import short_polynomial
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: short_polynomial(x, [1, 2, 3]), np.array([0.0, 1.0, 10.0]))
    array([  1.,   6., 321.])
    """
    terms: list[Vector | Number] = list(coefficients)
    while len(terms) > 1:
        evens, odds = terms[::2], terms[1::2]
        terms = [fma(odd, x, even) for even, odd in zip(evens, odds, strict=False)] + evens[len(odds) :]
        x = x * x
    return terms[0] if isinstance(terms[0], Vector) else x.number(terms[0])


def two_sum(a: Vector, b: Vector | Number) -> Pair:
    """a + b exactly, as a pair (Knuth's).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.arithmetic import two_sum
    >>> of_arrays(lambda a, b: two_sum(a, b)[1], np.array([1.0]), np.array([1e-20]))
    array([1.e-20])
    """
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def fast_two_sum(a: Vector | Number, b: Vector) -> Pair:
    """a + b exactly, as a pair, where |a| >= |b| or a = 0 (Dekker's).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.arithmetic import fast_two_sum
    >>> of_arrays(lambda a, b: fast_two_sum(a, b)[1], np.array([1.0]), np.array([1e-20]))
    array([1.e-20])
    """
    high = a + b
    return high, b - (high - a)


def two_product(a: Vector, b: Vector | Number) -> Pair:
    """a*b exactly, as a pair, unless it underflows.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.arithmetic import two_product
    >>> of_arrays(lambda a, b: two_product(a, b)[1], np.array([0.1]), np.array([10.0]))
    array([5.55111512e-17])
    """
    high = a * b
    return high, fma(a, b, -high)


def two_over_two(a: Pair, b: Pair) -> Vector:
    """a/b rounded nearly once.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.arithmetic import two_over_two
    >>> of_arrays(lambda a, b: two_over_two((a, b), (a, b)), np.array([0.1]), np.array([1e-18]))
    array([1.])
    """
    reciprocal = 1 / b[0]
    q = a[0] * reciprocal
    rest = fma(-q, b[0], a[0]) + fma(-q, b[1], a[1])
    return fma(rest, reciprocal, q)


def clamped(x: Vector, low: float, high: float) -> Vector:
    """x, or the bound that it passes; NaN stays NaN.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import clamped
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: clamped(x, -1, 1), np.array([-9.0, 0.5, np.nan]))
    array([-1. ,  0.5,  nan])
    """
    x = where(x > high, high, x)
    return where(x < low, low, x)


def nearest(x: Vector, factor: float = 1) -> Pair:
    """The whole number nearest to factor*x, below 2^(fraction - 1), and a vector whose `bits` end as its do.

    As its do as an integer (two's complement): for `times_power_of_two`, or to look at its lowest bits.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import nearest
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: nearest(x)[0], np.array([-1.4, 1.6, 2.5]))
    array([-1.,  2.,  2.])
    """
    whole = format_of(x).whole
    shifted = x + whole if factor == 1 else fma(x, factor, whole)
    return shifted - whole, shifted


def nearest_and_power(x: Vector, factor: float = 1) -> Pair:
    """`nearest`, n, and 2^n, a normal number.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import nearest_and_power
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda x: nearest_and_power(x)[1], np.array([-1.4, 1.6, 2.4]))
    array([0.5, 4. , 4. ])
    """
    form = format_of(x)
    whole = form.whole + form.bias  # so that the bits end in the exponent that is stored
    shifted = x + whole if factor == 1 else fma(x, factor, whole)
    return shifted - whole, (shifted.bits() << form.fraction).as_floats(x.kind)


def power_of_two(n: Vector, kind: str) -> Vector:
    """2^n for integers n whose power is a normal number; only the lowest bits of n count.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.arithmetic import power_of_two
    >>> of_arrays(lambda n: power_of_two(n.to("i64"), "double"), np.array([-2.0, 0, 10]))
    array([2.500e-01, 1.000e+00, 1.024e+03])
    """
    form = FORMATS[kind]
    return ((n + form.bias) << form.fraction).as_floats(kind)


def times_power_of_two(y: Vector, n: Vector) -> Vector:
    """y * 2^n rounded once, 2^-2 <= |y| <= 4, for integers |n| up to twice the largest exponent.

    Only the lowest bits of n count. What is too large is infinite.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import times_power_of_two
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> of_arrays(lambda n: times_power_of_two(n.number(1.5), n.to("i64")), np.array([-1074.0, 3, 1024]))
    array([9.9e-324, 1.2e+001,      inf])
    """
    n = n + 2 * format_of(y).bias  # so that both halves are biased
    half = n.shifted_right(1)
    fraction = format_of(y).fraction
    first, second = ((part << fraction).as_floats(y.kind) for part in (half, n - half))
    return y * first * second


def split(x: Vector, least: float = 0.5**0.5) -> Pair:
    """x = m * 2^k for positive, finite x: m from `least` to below 2*least, and k.

    Others give anything.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arithmetic import split
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> x = np.array([1.0, 12.0, 5e-324])
    >>> of_arrays(lambda x: split(x)[0], x), of_arrays(lambda x: split(x)[1], x)
    (array([1.  , 0.75, 1.  ]), array([    0.,     4., -1074.]))
    """
    form = format_of(x)
    small, lift = x < form.least, form.fraction + 2
    m, k = split_normal(where(small, x * 2.0**lift, x), least)
    return m, where(small, k - lift, k)


def split_normal(x: Vector, least: float = 0.5**0.5) -> Pair:
    """`split` of numbers none of which is subnormal.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.arithmetic import split_normal
    >>> of_arrays(lambda x: split_normal(x)[0], np.array([1.0, 12.0]))
    array([1.  , 0.75])
    """
    form, start = format_of(x), format_of(x).bits(least)
    bits = x.bits() + ((form.bias << form.fraction) - start)
    exponent = bits.shifted_right(form.fraction) | form.bits(2.0**form.fraction)
    k = exponent.as_floats(x.kind) - (2.0**form.fraction + form.bias)
    return ((bits & ((1 << form.fraction) - 1)) + start).as_floats(x.kind), k
