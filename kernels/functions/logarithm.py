"""Logarithms, within 2 ulp."""

import math
from collections.abc import Callable

from .arithmetic import (
    LN2,
    format_of,
    is_normal,
    polynomial,
    split,
    split_normal,
    times_power_of_two,
    two_sum,
)
from .exponential import exp_of_minus
from .instructions import fma, rarely, where
from .vector import Number, Vector

# From python -m scripts.coefficients
LOG = [  # log_double
    0.6666666666666735,
    0.39999999999408564,
    0.2857142874397707,
    0.22222198390172407,
    0.18183574755881454,
    0.15313762253498864,
    0.14799033897462496,
]
LOG_FLOAT = [  # log_float
    -0.49999988079071045,
    0.33333322405815125,
    -0.250015527009964,
    0.20002441108226776,
    -0.1661054939031601,
    0.14171387255191803,
    -0.13218460977077484,
    0.12967950105667114,
    -0.07764563709497452,
]


# pair(..., kind) of scripts.coefficients: log2(e), log10(e), log10(2)
LOG2_E = {
    "double": (1.4426950408889634, 2.0355273740931033e-17),
    "float": (1.4426950216293335, 1.925963033500011e-08),
}
LOG10_E = {
    "double": (0.4342944819032518, 1.098319650216765e-17),
    "float": (0.4342944920063019, -1.0103049952192578e-08),
}
LOG10_2 = {
    "double": (0.3010299956639812, -2.8037281277851704e-18),
    "float": (0.3010300099849701, -1.432098883924482e-08),
}


def log(x: Vector) -> Vector:
    """log(x) within 0.9 ulp: -infinity at 0, NaN below, infinity at infinity; of subnormal numbers too.

    x = m 2^k, sqrt(1/2) <= m < sqrt(2), f = m - 1. For doubles log(m) = f - f^2/2 + s (f^2/2 + s^2 P(s^2)),
    s = f/(2 + f), as fdlibm's e_log.c has it; for floats f + f^2 P(f).

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import log
    >>> of_arrays(log, np.array([0.0, 1, 10, -1]))
    array([      -inf, 0.        , 2.30258509,        nan])
    """
    return _of_positive(x, _log)


def log2(x: Vector) -> Vector:
    """log2(x) within 1 ulp, and whole of a power of 2; at its ends as log.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import log2
    >>> of_arrays(log2, np.array([0, 0.125, 10, -1]))
    array([       -inf, -3.        ,  3.32192809,         nan])
    """
    return _of_positive(x, lambda m, k: k + _times_log(LOG2_E, m - 1))


def log10(x: Vector) -> Vector:
    """log10(x) within 1.1 ulp; at its ends as log.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import log10
    >>> of_arrays(log10, np.array([0.0, 1000, 2, -1]))
    array([   -inf, 3.     , 0.30103,     nan])
    """
    high, low = LOG10_2[x.kind]
    return _of_positive(x, lambda m, k: fma(k, high, fma(k, low, _times_log(LOG10_E, m - 1))))


def log1p(x: Vector) -> Vector:
    """log(1 + x) within 1 ulp, near 0 too: log1p(-0) is -0, log1p(-1) is -infinity, NaN below.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import log1p
    >>> of_arrays(log1p, np.array([1e-20, 1, -1, -2]))
    array([1.00000000e-20, 6.93147181e-01,           -inf,            nan])
    """
    return where(x == 0, x, log1p_of_pair(x, 0))


def softplus(x: Vector) -> Vector:
    """log(1 + e^x) within 1.4 ulp: it is x for large x, and e^x, down to its subnormal numbers, for small x.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import softplus
    >>> of_arrays(softplus, np.array([-np.inf, -700, 0, 1000]))
    array([0.00000000e+000, 9.85967654e-305, 6.93147181e-001, 1.00000000e+003])
    """
    y, y_low, n = exp_of_minus(x)
    t, t_low = (times_power_of_two(part, -n.bits()) for part in (y, y_low))
    return where(x > 0, x, 0) + log1p_of_pair(t, t_low)


def log1p_of_pair(x: Vector, x_low: Vector | Number) -> Vector:
    """log(1 + x + x_low) of a pair, within 1 ulp.

    What 1 + x loses when it is rounded is added to its logarithm, over 1 + x.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import log1p_of_pair
    >>> of_arrays(lambda x: log1p_of_pair(x, x * 1e-17), np.array([0, 1e-9, 1]))
    array([0.00000000e+00, 9.99999999e-10, 6.93147181e-01])
    """
    u, u_low = two_sum(x, 1)
    m, k = split_normal(u)
    f = m - 1
    shrunk = (m.bits() - u.bits() + format_of(x).bits(1.0)).as_floats(x.kind)  # 2^-k
    f_low = where(k < format_of(x).fraction + 2, (u_low + x_low) * shrunk, 0)
    high, low = LN2[x.kind]
    rest = fma(f_low, fma(f, f - 1, 1), log1p_rest(f))  # 1/(1 + f) to a few bits
    return _at_ends(u, fma(k, high, f + fma(k, low, rest)))


def log1p_rest(f: Vector) -> Vector:
    """log(1 + f) - f for sqrt(1/2) <= 1 + f <= sqrt(2); its error is far below an ulp of f.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import log1p_rest
    >>> of_arrays(log1p_rest, np.array([0, 1e-9, 0.25]))
    array([ 0.00000000e+00, -5.00000000e-19, -2.68564487e-02])
    """
    if f.kind == "float":
        return f * f * polynomial(f, LOG_FLOAT)
    s = f / (f + 2)
    z, square = s * s, f * f * 0.5
    return fma(s, fma(z, polynomial(z, LOG), square), -square)


def branchless_log(x: Vector) -> Vector:
    """`log`, bit for bit, without a branch: for long functions, where a branch costs registers.

    >>> import numpy as np
    >>> from packtrain.kernels.functions.arrays import of_arrays
    >>> from packtrain.kernels.functions.logarithm import branchless_log
    >>> of_arrays(branchless_log, np.array([0.0, 1, 10, -1]))
    array([      -inf, 0.        , 2.30258509,        nan])
    """
    return _at_ends(x, _log(*split(x)))


def _of_positive(x: Vector, logarithm: Callable[[Vector, Vector], Vector]) -> Vector:
    """logarithm(m, k) of x = m 2^k; apart from the rest what is subnormal, not positive or not finite."""
    usual = logarithm(*split_normal(x))
    return rarely(~is_normal(x), lambda: _at_ends(x, logarithm(*split(x))), usual)


def _log(m: Vector, k: Vector) -> Vector:
    """log(m 2^k)."""
    f = m - 1
    high, low = LN2[m.kind]
    return fma(k, high, f + fma(k, low, log1p_rest(f)))


def _times_log(factor: dict[str, tuple[float, float]], f: Vector) -> Vector:
    """factor * log(1 + f)."""
    high, low = factor[f.kind]
    return fma(f, high, fma(log1p_rest(f), high, f * low))


def _at_ends(x: Vector, y: Vector) -> Vector:
    """y, a logarithm of x, but where x is not positive or not finite."""
    y = where(x < math.inf, y, x)
    return where(x > 0, y, where(x == 0, y.number(-math.inf), math.nan))
