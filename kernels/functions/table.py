"""The value of each operation of the language, as LLVM IR: a function of Vectors."""

import math
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

from ..special import faddeeva
from . import (
    bessel,
    circular,
    error,
    exponential,
    gamma,
    hyperbolic,
    instructions,
    inverse_circular,
    logarithm,
    power,
    sinc,
)
from .instructions import absolute, lane_by_lane, through_doubles, where
from .vector import Vector


def _contracted(verb: str) -> Callable[[Vector, Vector], Vector]:
    """A sum or a product, which LLVM may join with another to one fma: formulas are computed so."""
    return lambda x, y: x.binary(f"{verb} contract", y)


def _compared(compare: Callable[[Vector, Vector], Vector]) -> Callable[[Vector, Vector], Vector]:
    """1 where the comparison holds, else 0."""
    return lambda x, y: where(compare(x, y), x.number(1), 0)


@through_doubles
def _remainder(x: Vector, y: Vector) -> Vector:
    return lane_by_lane("fmod", x, y)


def _modulo(x: Vector, y: Vector) -> Vector:
    """x - y floor(x/y), exactly: the C library's remainder, which has the sign of x, moved to that of y."""
    rest = _remainder(x, y)
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
    return where(nothing, 0, p * power.log_of_base(x))


def _over_abstract_numbers(algorithm: Callable[..., Vector]) -> Callable[..., Vector]:
    """One of `special`, of doubles."""
    functions = SimpleNamespace(
        exp=exponential.exp, sin=circular.sin, cos=circular.cos, abs=absolute, where=where
    )
    return through_doubles(lambda *operands: algorithm(*operands, functions))


def _rows(module: ModuleType, *names: str) -> dict[str, Callable[..., Vector]]:
    return {name: getattr(module, name) for name in names}


LLVM: dict[str, Callable[..., Vector]] = {
    "add": _contracted("fadd"),
    "sub": _contracted("fsub"),
    "mul": _contracted("fmul"),
    "div": lambda x, y: x / y,
    "mod": _modulo,
    "neg": lambda x: -x,
    "lt": _compared(lambda x, y: x < y),
    "le": _compared(lambda x, y: x <= y),
    "gt": _compared(lambda x, y: x > y),
    "ge": _compared(lambda x, y: x >= y),
    "where": lambda c, a, b: where(c != 0, a, b),
    "abs": absolute,
    "sign": _sign,
    "round": instructions.rint,
    "relu": _relu,
    "min": _minimum,
    "max": _maximum,
    **_rows(instructions, "sqrt", "floor", "ceil"),
    **_rows(exponential, "exp", "expm1", "sigmoid"),
    **_rows(logarithm, "log", "log1p", "log10", "log2", "softplus"),
    **_rows(power, "pow", "cbrt", "hypot"),
    **_rows(circular, "sin", "cos", "tan"),
    **_rows(inverse_circular, "asin", "acos", "atan", "atan2"),
    **_rows(hyperbolic, "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    **_rows(sinc, "sinc", "sinc_slope"),
    **_rows(error, "erf", "erfc", "erfcx"),
    **_rows(gamma, "lgamma", "digamma"),
    **_rows(bessel, "j0", "j1", "j1_over_x"),
    "wofz_real": _over_abstract_numbers(faddeeva.wofz_real),
    "wofz_imag": _over_abstract_numbers(faddeeva.wofz_imag),
    "plogx": _plogx,
    "gate": lambda x, y: where(x == 0, 0, x * y),
    "chain": lambda x, y: where((x == 0) | (y == 0), 0, x * y),
}
