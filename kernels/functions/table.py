"""The value of each operation of the language, as LLVM IR: a function of Vectors."""

import math
from collections.abc import Callable

from .exponential import exp
from .vector import Vector, absolute, lane_by_lane, sqrt, where


def _of_libm(function: str) -> Callable[..., Vector]:
    """The C library's function, of doubles, lane by lane."""

    def compute(*operands: Vector) -> Vector:
        kind = operands[0].kind
        return lane_by_lane(function, *(operand.to("double") for operand in operands)).to(kind)

    return compute


def _contracted(verb: str) -> Callable[[Vector, Vector], Vector]:
    """A sum or a product that LLVM may join with another to an fma: formulas are computed so."""
    return lambda x, y: x.binary(f"{verb} contract", y)


def _log(x: Vector) -> Vector:
    return _of_libm("log")(x)


def _sigmoid(x: Vector) -> Vector:
    return 1 / (1 + exp(-x))


def _softplus(x: Vector) -> Vector:
    return where(x > 0, x, 0) + _of_libm("log1p")(exp(-absolute(x)))


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
    return where(nothing, 0, p * _log(x))


def _gate(x: Vector, y: Vector) -> Vector:
    return where(x == 0, 0, x * y)


def _chain(x: Vector, y: Vector) -> Vector:
    return where((x == 0) | (y == 0), 0, x * y)


LLVM: dict[str, Callable[..., Vector]] = {
    "add": _contracted("fadd"),
    "sub": _contracted("fsub"),
    "mul": _contracted("fmul"),
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": _of_libm("pow"),
    "exp": exp,
    "log": _log,
    "sqrt": sqrt,
    "abs": absolute,
    **{
        name: _of_libm(name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")
    },
    "sigmoid": _sigmoid,
    "relu": _relu,
    "softplus": _softplus,
    "min": _minimum,
    "max": _maximum,
    "sign": _sign,
    "plogx": _plogx,
    "gate": _gate,
    "chain": _chain,
}
