"""Functions that are formulas of others: a row each, which the parser puts in their place."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .expr import ONE, Expr, node, number
from .ops import FUNCTIONS, OPS

TWO = number(2)
SQRT_2, SQRT_2_PI = number(math.sqrt(2)), number(math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class Function:
    """What can be called in an equation: `expand` makes the expression of its `least` or more arguments."""

    expand: Callable[..., Expr]
    least: int
    more: bool = False

    @property
    def takes(self) -> str:
        """'2 or more arguments'."""
        return f"{self.least}{' or more' if self.more else ''} argument{'' if self.least == 1 else 's'}"


def voigt(x: Expr, sigma: Expr, gamma: Expr) -> Expr:
    """The Gaussian of this `sigma` convolved with the Lorentzian of half width `gamma`: its area is 1.

    Re w((x + i gamma)/(sigma sqrt 2)) / (sigma sqrt(2 pi)), w being Faddeeva's function: NIST's Digital
    Library of Mathematical Functions, 7.19.

    >>> from packtrain.kernels.language.definitions import voigt
    >>> from packtrain.kernels.language.expr import name
    >>> print(str(voigt(*map(name, ("x", "s", "g"))))[:53])
    wofz_real(x/(s*1.4142135623730951), g/(s*1.4142135623
    """
    width = sigma * SQRT_2
    return node("wofz_real", x / width, gamma / width) / (sigma * SQRT_2_PI)


def _of_any(op: str) -> Callable[..., Expr]:
    """An operation of two on any number, halved and halved again, so that none stands deep inside another."""

    def expand(*args: Expr) -> Expr:
        if len(args) == 1:
            return args[0]
        middle = (len(args) + 1) // 2
        return node(op, expand(*args[:middle]), expand(*args[middle:]))

    return expand


def _lgamma(x: Expr) -> Expr:
    return node("lgamma", x)


DEFINITIONS: dict[str, Function] = {
    "ln": Function(lambda x: node("log", x), 1),
    "square": Function(lambda x: x**TWO, 1),
    "heaviside": Function(lambda x: (ONE + node("sign", x)) / TWO, 1),  # 1/2 at 0
    "sec": Function(lambda x: ONE / node("cos", x), 1),
    "cot": Function(lambda x: ONE / node("tan", x), 1),
    "logit": Function(lambda x: node("log", x / (ONE - x)), 1),
    "silu": Function(lambda x: x * node("sigmoid", x), 1),
    "gelu": Function(lambda x: x * node("erfc", -x / SQRT_2) / TWO, 1),
    "beta": Function(lambda a, b: node("exp", _lgamma(a) + _lgamma(b) - _lgamma(a + b)), 2),
    "clip": Function(lambda x, low, high: node("min", node("max", x, low), high), 3),
    "voigt": Function(voigt, 3),
    "min": Function(_of_any("min"), 2, more=True),
    "max": Function(_of_any("max"), 2, more=True),
}


def _operation(name: str) -> Function:
    return Function(lambda *args: node(name, *args), OPS[name].arity)


WRITABLE = {name: _operation(name) for name in FUNCTIONS} | DEFINITIONS
READ = WRITABLE | {"wofz_real": _operation("wofz_real")}  # so that the text of a definition is read back
