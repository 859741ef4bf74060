"""The table of partial derivatives: what differentiation knows of each operation."""

from collections.abc import Callable
from math import log, pi, sqrt

from .expr import MINUS_ONE, ONE, ZERO, Expr, node, number

HALF, TWO, THREE = number(0.5), number(2), number(3)
ROOT = number(2 / sqrt(pi))
ASYMPTOTIC, FRACTIONS = number(10), 8  # where erfcx's slope is a continued fraction, and of how many terms


def _sign(x: Expr) -> Expr:
    return node("sign", x)


def _power_slope(x: Expr, y: Expr) -> Expr:
    """y x^(y-1): 0 at x = 0 where y is 0."""
    rest = x ** (y - ONE)
    return y * rest if y.op == "number" else node("chain", y, rest)


def _semicircle(x: Expr) -> Expr:
    """sqrt(1 - x^2), to all digits near 1, too."""
    return node("sqrt", (ONE - x) * (ONE + x))


def _gaussian(x: Expr) -> Expr:
    """2/sqrt(pi) exp(-x^2)."""
    return ROOT * node("exp", -(x**TWO))


def _erfcx_slope(x: Expr) -> Expr:
    """2 x erfcx(x) - 2/sqrt(pi). Where these are nearly equal it is -2 K erfcx(x) with the continued fraction
    K = (1/2)/(x + (2/2)/(x + (3/2)/(x + ...))), of which erfcx(x) is 1/(sqrt(pi) (x + K))."""
    fraction = ZERO
    for n in range(FRACTIONS, 0, -1):
        fraction = number(n / 2) / (x + fraction)
    value = node("erfcx", x)
    return node("where", node("lt", x, ASYMPTOTIC), TWO * x * value - ROOT, -(TWO * fraction * value))


def _hypot_slope(x: Expr, y: Expr) -> Expr:
    """x/sqrt(x^2 + y^2): 0 at 0."""
    return node("gate", x, ONE / node("hypot", x, y))


def _atan2_slope(x: Expr, y: Expr) -> Expr:
    """x/(x^2 + y^2): 0 at 0 and at infinity."""
    return node("chain", x, ONE / (x**TWO + y**TWO))


def _faddeeva_slope(u: Expr, v: Expr) -> tuple[Expr, Expr]:
    """Of Re w(z): the real part of w' = -2 z w + 2i/sqrt(pi), and minus the imaginary one."""
    real, imaginary = node("wofz_real", u, v), node("wofz_imag", u, v)
    return TWO * (v * imaginary - u * real), TWO * (u * imaginary + v * real) - ROOT


# op -> d op(x, y) / d x and d op(x, y) / d y. At their kinks relu, abs and hypot have the slope 0, and min
# and max give half to either side; steps have the slope 0 everywhere.
PARTIALS: dict[str, Callable[..., tuple[Expr, ...]]] = {
    "add": lambda x, y: (ONE, ONE),
    "sub": lambda x, y: (ONE, MINUS_ONE),
    "mul": lambda x, y: (y, x),
    "div": lambda x, y: (ONE / y, -(x / y / y)),
    "mod": lambda x, y: (ONE, -node("floor", x / y)),
    "neg": lambda x: (MINUS_ONE,),
    "pow": lambda x, y: (_power_slope(x, y), node("plogx", x**y, x)),
    **dict.fromkeys(("lt", "le", "gt", "ge"), lambda x, y: (ZERO, ZERO)),
    "where": lambda c, x, y: (ZERO, node("where", c, ONE, ZERO), node("where", c, ZERO, ONE)),
    "exp": lambda x: (node("exp", x),),
    "expm1": lambda x: (node("exp", x),),
    "log": lambda x: (ONE / x,),
    "log1p": lambda x: (ONE / (ONE + x),),
    "log10": lambda x: (number(1 / log(10)) / x,),
    "log2": lambda x: (number(1 / log(2)) / x,),
    "sqrt": lambda x: (HALF / node("sqrt", x),),
    "cbrt": lambda x: (ONE / (THREE * node("cbrt", x) ** TWO),),
    "abs": lambda x: (_sign(x),),
    **dict.fromkeys(("sign", "floor", "ceil", "round"), lambda x: (ZERO,)),
    "sin": lambda x: (node("cos", x),),
    "cos": lambda x: (-node("sin", x),),
    "tan": lambda x: (ONE + node("tan", x) ** TWO,),
    "asin": lambda x: (ONE / _semicircle(x),),
    "acos": lambda x: (-(ONE / _semicircle(x)),),
    "atan": lambda x: (ONE / (ONE + x**TWO),),
    "atan2": lambda y, x: (_atan2_slope(x, y), -_atan2_slope(y, x)),
    "hypot": lambda x, y: (_hypot_slope(x, y), _hypot_slope(y, x)),
    "sinh": lambda x: (node("cosh", x),),
    "cosh": lambda x: (node("sinh", x),),
    "tanh": lambda x: (ONE - node("tanh", x) ** TWO,),
    "asinh": lambda x: (ONE / node("sqrt", ONE + x**TWO),),
    "acosh": lambda x: (ONE / node("sqrt", (x - ONE) * (x + ONE)),),
    "atanh": lambda x: (ONE / ((ONE - x) * (ONE + x)),),
    "sinc": lambda x: (node("sinc_slope", x),),
    "sigmoid": lambda x: (node("sigmoid", x) * (ONE - node("sigmoid", x)),),
    "relu": lambda x: (_sign(node("relu", x)),),
    "softplus": lambda x: (node("sigmoid", x),),
    "erf": lambda x: (_gaussian(x),),
    "erfc": lambda x: (-_gaussian(x),),
    "erfcx": lambda x: (_erfcx_slope(x),),
    "lgamma": lambda x: (node("digamma", x),),
    "j0": lambda x: (-node("j1", x),),
    "j1": lambda x: (node("j0", x) - node("j1_over_x", x),),
    **dict.fromkeys(("gate", "chain"), lambda x, y: (y, x)),
    "wofz_real": _faddeeva_slope,
    "min": lambda x, y: (HALF * (ONE - _sign(x - y)), HALF * (ONE + _sign(x - y))),
    "max": lambda x, y: (HALF * (ONE + _sign(x - y)), HALF * (ONE - _sign(x - y))),
}
