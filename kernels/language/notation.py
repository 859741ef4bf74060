"""How expressions are written: a table op -> row, and a row makes the text of op(operands) from theirs.

The functions here make rows. LANGUAGE is the table that `parse` reads back; latex and numpy_source have
their own.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from .ops import FUNCTIONS, RESERVED

COMPARISON, ADDITIVE, MULTIPLICATIVE, UNARY, POWER, ATOM = range(6)  # precedences: the larger binds tighter
BRACKETED = ATOM + 1  # of a comparison in brackets that make it a number

Written = tuple[str, int]  # a text and its precedence
Notation = Mapping[str, Callable[..., Written]]  # a row takes its operands, that of a leaf the leaf's value
Parentheses = tuple[str, str]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)

ROUND: Parentheses = ("(", ")")
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def atom(value: Any) -> Written:
    """A leaf, written as it is.

    >>> from packtrain.kernels.language.notation import atom
    >>> atom("x")
    ('x', 5)
    """
    return str(value), ATOM


def spelled(word: str) -> Written:
    """A name, in backticks where it isn't read as one without.

    >>> from packtrain.kernels.language.notation import spelled
    >>> spelled("x_1"), spelled("wave length"), spelled("pi")
    (('x_1', 5), ('`wave length`', 5), ('`pi`', 5))
    """
    return atom(word) if NAME.fullmatch(word) and word not in RESERVED else quoted(word)


def quoted(word: str) -> Written:
    """A name in backticks.

    >>> from packtrain.kernels.language.notation import quoted
    >>> quoted("t")
    ('`t`', 5)
    """
    return atom(f"`{word}`")


def signed(size: Callable[[float], Written]) -> Callable[[float], Written]:
    """The row of a number, given how its absolute value is written.

    >>> from packtrain.kernels.language.notation import atom, signed
    >>> signed(atom)(-2.0)
    ('-2.0', 3)
    """

    def write(value: float) -> Written:
        text, precedence = size(abs(value))
        return (f"-{text}", min(precedence, UNARY)) if math.copysign(1, value) < 0 else (text, precedence)

    return write


def binary(symbol: str, precedence: int, parentheses: Parentheses = ROUND) -> Callable[..., Written]:
    """The row of an operator that groups to the left.

    >>> from packtrain.kernels.language.notation import ADDITIVE, atom, binary
    >>> minus = binary(" - ", ADDITIVE)
    >>> minus(atom("a"), minus(atom("b"), atom("c")))
    ('a - (b - c)', 1)
    """

    def write(left: Written, right: Written) -> Written:
        least = ATOM if right[0].startswith("-") else precedence + 1
        return f"{wrap(left, precedence, parentheses)}{symbol}{wrap(right, least, parentheses)}", precedence

    return write


def comparison(symbol: str) -> Callable[..., Written]:
    """The row of a comparison, none of whose sides is one.

    >>> from packtrain.kernels.language.notation import atom, comparison
    >>> less = comparison("<")
    >>> less(less(atom("a"), atom("b")), atom("c"))
    ('(a < b) < c', 0)
    """
    return lambda left, right: (f"{wrap(left, ADDITIVE)} {symbol} {wrap(right, ADDITIVE)}", COMPARISON)


def bracketed(symbol: str, brackets: Parentheses) -> Callable[..., Written]:
    """The row of a comparison in brackets that make a number of it.

    >>> from packtrain.kernels.language.notation import atom, bracketed
    >>> bracketed("<", ("[", "]"))(atom("a"), atom("b"))
    ('[a < b]', 6)
    """
    before, after = brackets
    return lambda *sides: (f"{before}{comparison(symbol)(*sides)[0]}{after}", BRACKETED)


def bare(operand: Written, brackets: Parentheses) -> str:
    """The operand's text, without the brackets of a comparison.

    >>> from packtrain.kernels.language.notation import atom, bare, bracketed
    >>> bare(bracketed("<", ("[", "]"))(atom("a"), atom("b")), ("[", "]"))
    'a < b'
    """
    text, precedence = operand
    before, after = brackets
    return text.removeprefix(before).removesuffix(after) if precedence == BRACKETED else text


def power(symbol: str) -> Callable[..., Written]:
    """The row of ^, which groups to the right and binds tighter than a minus on its left.

    >>> from packtrain.kernels.language.notation import atom, negation, power
    >>> power("^")(negation()(atom("a")), negation()(atom("b")))
    ('(-a)^-b', 4)
    """
    return lambda base, exponent: (f"{wrap(base, ATOM)}{symbol}{wrap(exponent, UNARY)}", POWER)


def negation(parentheses: Parentheses = ROUND) -> Callable[..., Written]:
    """The row of a minus before an operand.

    >>> from packtrain.kernels.language.notation import atom, negation
    >>> negation()(atom("a"))
    ('-a', 3)
    """
    return lambda operand: ("-" + wrap(operand, POWER, parentheses), UNARY)


def call(function: str, parentheses: Parentheses = ROUND) -> Callable[..., Written]:
    """The row of a function.

    >>> from packtrain.kernels.language.notation import atom, call
    >>> call("max")(atom("a"), atom("b"))
    ('max(a, b)', 5)
    """
    before, after = parentheses
    return lambda *args: (f"{function}{before}{', '.join(text for text, _ in args)}{after}", ATOM)


def wrap(operand: Written, least: int, parentheses: Parentheses = ROUND) -> str:
    """The operand's text, in parentheses where it binds less than `least`.

    >>> from packtrain.kernels.language.notation import ADDITIVE, MULTIPLICATIVE, wrap
    >>> wrap(("a + b", ADDITIVE), MULTIPLICATIVE)
    '(a + b)'
    """
    text, precedence = operand
    return text if precedence >= least else f"{parentheses[0]}{text}{parentheses[1]}"


def _digits(size: float) -> Written:
    return atom("pi" if size == math.pi else repr(size).removesuffix(".0"))


LANGUAGE: Notation = {
    "number": signed(_digits),
    "name": spelled,
    "cotangent": atom,
    "add": binary(" + ", ADDITIVE),
    "sub": binary(" - ", ADDITIVE),
    "mul": binary("*", MULTIPLICATIVE),
    "div": binary("/", MULTIPLICATIVE),
    "neg": negation(),
    "mod": binary(" % ", MULTIPLICATIVE),
    "pow": power("^"),
    **{op: comparison(symbol) for op, symbol in COMPARISONS.items()},
    **{function: call(function) for function in FUNCTIONS},
    **{function: call(function) for function in ("digamma", "sinc_slope", "wofz_real", "wofz_imag")},
    "j1_over_x": lambda x: binary("/", MULTIPLICATIVE)(call("j1")(x), x),
    "plogx": lambda p, x: binary("*", MULTIPLICATIVE)(p, call("log")(x)),
    **dict.fromkeys(("gate", "chain"), binary("*", MULTIPLICATIVE)),
}
