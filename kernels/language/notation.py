"""How expressions are written down: op -> its text and precedence, given those of its operands."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from .ops import ADDITIVE, ATOM, FUNCTIONS, MULTIPLICATIVE, POWER, UNARY

Written = tuple[str, int]  # a text and its precedence
Notation = Mapping[str, Callable[..., Written]]  # a leaf's row takes its value
Parentheses = tuple[str, str]

ROUND: Parentheses = ("(", ")")


def atom(value: Any) -> Written:
    """A leaf, written as it is."""
    return str(value), ATOM


def signed(size: Callable[[float], Written]) -> Callable[[float], Written]:
    """The row of a number, given how its size is written."""

    def write(value: float) -> Written:
        text, precedence = size(abs(value))
        return (f"-{text}", min(precedence, UNARY)) if math.copysign(1, value) < 0 else (text, precedence)

    return write


def binary(symbol: str, precedence: int, parentheses: Parentheses = ROUND) -> Callable[..., Written]:
    """The row of an operator that groups to the left."""

    def write(left: Written, right: Written) -> Written:
        least = ATOM if right[0].startswith("-") else precedence + 1
        return f"{wrap(left, precedence, parentheses)}{symbol}{wrap(right, least, parentheses)}", precedence

    return write


def power(symbol: str) -> Callable[..., Written]:
    """The row of ^, which groups to the right and binds tighter than a minus on its left."""
    return lambda base, exponent: (f"{wrap(base, ATOM)}{symbol}{wrap(exponent, UNARY)}", POWER)


def negation(parentheses: Parentheses = ROUND) -> Callable[..., Written]:
    """The row of a minus before an operand."""
    return lambda operand: ("-" + wrap(operand, POWER, parentheses), UNARY)


def call(function: str, parentheses: Parentheses = ROUND) -> Callable[..., Written]:
    """The row of a function."""
    before, after = parentheses
    return lambda *args: (f"{function}{before}{', '.join(text for text, _ in args)}{after}", ATOM)


def wrap(operand: Written, least: int, parentheses: Parentheses = ROUND) -> str:
    """The operand's text, in parentheses where it binds less than `least`."""
    text, precedence = operand
    return text if precedence >= least else f"{parentheses[0]}{text}{parentheses[1]}"


def _digits(size: float) -> Written:
    return atom("pi" if size == math.pi else repr(size).removesuffix(".0"))


LANGUAGE: Notation = {
    "number": signed(_digits),
    "name": atom,
    "cotangent": atom,
    "add": binary(" + ", ADDITIVE),
    "sub": binary(" - ", ADDITIVE),
    "mul": binary("*", MULTIPLICATIVE),
    "div": binary("/", MULTIPLICATIVE),
    "neg": negation(),
    "pow": power("^"),
    **{function: call(function) for function in (*FUNCTIONS, "sign")},
    # x^y's derivative by y: x^y*log(x), but 0 where x^y is, or where x is and x^y is finite
    "plogx": lambda p, x: binary("*", MULTIPLICATIVE)(p, call("log")(x)),
    **dict.fromkeys(("gate", "chain"), binary("*", MULTIPLICATIVE)),
}
