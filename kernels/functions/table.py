"""The value of each operation of the language, as LLVM IR: a function of Vectors."""

import math
from collections.abc import Callable
from types import SimpleNamespace

from ..special import bessel, digamma, faddeeva
from .circular import cos, sin, tan
from .error import erf, erfc, erfcx
from .exponential import exp, expm1, sigmoid
from .hyperbolic import tanh
from .logarithm import log, softplus
from .power import pow as power
from .sinc import sinc, sinc_slope
from .vector import Vector, absolute, ceil, floor, lane_by_lane, rint, sqrt, through_doubles, where


def _of_libm(function: str) -> Callable[..., Vector]:
    """The C library's function of doubles, lane by lane."""
    return through_doubles(lambda *operands: lane_by_lane(function, *operands))


def _contracted(verb: str) -> Callable[[Vector, Vector], Vector]:
    """A sum or a product, which LLVM may join with another to one fma: formulas are computed so."""
    return lambda x, y: x.binary(f"{verb} contract", y)


def _compared(compare: Callable[[Vector, Vector], Vector]) -> Callable[[Vector, Vector], Vector]:
    """1 where the comparison holds, else 0."""
    return lambda x, y: where(compare(x, y), x.number(1), 0)


def _modulo(x: Vector, y: Vector) -> Vector:
    """x - y floor(x/y), exactly: the C library's remainder, which has the sign of x, moved to that of y."""
    rest = _of_libm("fmod")(x, y)
    return where((rest != 0) & ((rest < 0) ^ (y < 0)), rest + y, rest)


def _relu(x: Vector) -> Vector:
    return where(x <= 0, 0, x)


def _minimum(x: Vector, y: Vector) -> Vector:
    return where((x < y) | x.is_nan(), x, y)


def _maximum(x: Vector, y: Vector) -> Vector:
    return where((x > y) | x.is_nan(), x, y)


def _sign(x: Vector) -> Vector:
    return where(x > 0, 1, where(x < 0, -1, x))


def _plogx(p: Vector, x: Vector) -> Vector:
    """p*log(x): 0 where p is 0, and where x is 0 while p is finite."""
    nothing = (p == 0) | ((x == 0) & (absolute(p) < math.inf))
    return where(nothing, 0, p * log(x))


def _over_abstract_numbers(algorithm: Callable[..., Vector]) -> Callable[..., Vector]:
    """One of `special`, in doubles."""
    functions = SimpleNamespace(
        **{name: LLVM[name] for name in ("exp", "log", "sin", "cos", "tan", "sqrt", "abs", "round", "j1")},
        where=where,
    )
    return through_doubles(lambda *operands: algorithm(*operands, functions))


LLVM: dict[str, Callable[..., Vector]] = {
    "add": _contracted("fadd"),
    "sub": _contracted("fsub"),
    "mul": _contracted("fmul"),
    "div": lambda x, y: x / y,
    "mod": _modulo,
    "neg": lambda x: -x,
    "pow": power,
    "lt": _compared(lambda x, y: x < y),
    "le": _compared(lambda x, y: x <= y),
    "gt": _compared(lambda x, y: x > y),
    "ge": _compared(lambda x, y: x >= y),
    "where": lambda c, a, b: where(c != 0, a, b),
    "exp": exp,
    "expm1": expm1,
    "log": log,
    **{name: _of_libm(name) for name in ("log1p", "log10", "log2", "cbrt", "hypot", "atan2", "lgamma")},
    **{name: _of_libm(name) for name in ("asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")},
    "sqrt": sqrt,
    "abs": absolute,
    "sign": _sign,
    "floor": floor,
    "ceil": ceil,
    "round": rint,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "tanh": tanh,
    "sinc": sinc,
    "sinc_slope": sinc_slope,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": _relu,
    "min": _minimum,
    "max": _maximum,
    "erf": erf,
    "erfc": erfc,
    "erfcx": erfcx,
    "j0": _of_libm("j0"),
    "j1": _of_libm("j1"),
    "plogx": _plogx,
    "gate": lambda x, y: where(x == 0, 0, x * y),
    "chain": lambda x, y: where((x == 0) | (y == 0), 0, x * y),
}
LLVM |= {
    "digamma": _over_abstract_numbers(digamma.digamma),
    "j1_over_x": _over_abstract_numbers(bessel.j1_over_x),
    "wofz_real": _over_abstract_numbers(faddeeva.wofz_real),
    "wofz_imag": _over_abstract_numbers(faddeeva.wofz_imag),
}
