"""Expressions: immutable trees over names and numbers, in which equal parts are one object."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from kernels.expression.ops import ATOM, OPS, POWER, UNARY


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Expr:
    """op(args...), or a leaf: `number`, `name`, or the `cotangent` of an output.

    Made by `node`, which returns the same object for the same expression; so `is` compares, and a
    dictionary keyed by expressions finds common subexpressions. The arithmetic operators simplify
    as they build (1*x is x); `node` keeps what it is given.
    """

    op: str
    args: tuple["Expr", ...]
    value: float | str | None

    def __add__(self, other: "Expr") -> "Expr":
        if other.op == "neg":
            return self - other.args[0]
        return other if self is ZERO else self if other is ZERO else node("add", self, other)

    def __sub__(self, other: "Expr") -> "Expr":
        if self.op == other.op == "number":
            return number(constant(self) - constant(other))
        return self if other is ZERO else -other if self is ZERO else node("sub", self, other)

    def __mul__(self, other: "Expr") -> "Expr":
        if self is ZERO or other is ZERO:
            return ZERO
        if MINUS_ONE in (self, other):
            return -other if self is MINUS_ONE else -self
        if "neg" in (self.op, other.op):
            return -(self.args[0] * other if self.op == "neg" else self * other.args[0])
        return other if self is ONE else self if other is ONE else node("mul", self, other)

    def __truediv__(self, other: "Expr") -> "Expr":
        return self if other is ONE else node("div", self, other)

    def __pow__(self, other: "Expr") -> "Expr":
        return ONE if other is ZERO else self if other is ONE else node("pow", self, other)

    def __neg__(self) -> "Expr":
        return self.args[0] if self.op == "neg" else node("neg", self)

    def __str__(self) -> str:
        return _texts(self)[self][0]


_interned: WeakValueDictionary[tuple, Expr] = WeakValueDictionary()


def node(op: str, *args: Expr, value: float | str | None = None) -> Expr:
    """The one expression op(args). A minus before a number belongs to the number."""
    if op == "neg" and args[0].op == "number":
        return number(-constant(args[0]))
    key = (op, args, repr(value))  # repr tells 0.0 from -0.0
    found = _interned.get(key)
    if found is None:
        found = _interned[key] = Expr(op, args, value)
    return found


def number(value: float) -> Expr:
    """The constant `value`."""
    return node("number", value=float(value))


def name(text: str) -> Expr:
    """The variable or parameter called `text`."""
    return node("name", value=text)


ZERO, ONE, MINUS_ONE = number(0), number(1), number(-1)


def walk(*roots: Expr) -> list[Expr]:
    """Every node under `roots` once, operands before what uses them, left to right."""
    order: dict[Expr, None] = {}
    stack = list(reversed(roots))
    while stack:
        top = stack[-1]
        waiting = [arg for arg in reversed(top.args) if arg not in order]
        if waiting:
            stack += waiting
        else:
            order[stack.pop()] = None
    return list(order)


def names(*roots: Expr) -> list[str]:
    """The names under `roots`, in order of appearance."""
    return [str(leaf.value) for leaf in walk(*roots) if leaf.op == "name"]


def substitute(roots: Iterable[Expr], leaves: Mapping[str, Expr]) -> list[Expr]:
    """`roots` with each name in `leaves` replaced by its expression."""
    roots = list(roots)
    new: dict[Expr, Expr] = {}
    for old in walk(*roots):
        if old.op == "name":
            new[old] = leaves.get(str(old.value), old)
        else:
            new[old] = node(old.op, *(new[arg] for arg in old.args), value=old.value)
    return [new[root] for root in roots]


def constant(leaf: Expr) -> float:
    """The value of a number."""
    assert isinstance(leaf.value, float)
    return leaf.value


def _texts(root: Expr) -> dict[Expr, tuple[str, int]]:
    """The text and the precedence of every node under `root`."""
    texts: dict[Expr, tuple[str, int]] = {}
    for part in walk(root):
        texts[part] = _text(part, [texts[arg] for arg in part.args])
    return texts


def _text(part: Expr, args: list[tuple[str, int]]) -> tuple[str, int]:
    if part.op == "number":
        return _number_text(constant(part))
    if part.op in ("name", "cotangent"):
        return str(part.value), ATOM
    op = OPS[part.op]
    if part.op == "plogx":  # x^y's derivative by y: x^y*log(x), but 0 where x is 0 and x^y is finite
        args = [args[0], (f"log({args[1][0]})", ATOM)]
    if op.symbol is None:
        return f"{part.op}({', '.join(text for text, _ in args)})", ATOM
    if op.arity == 1:
        return "-" + _wrap(args[0], POWER), UNARY
    left, right = args
    if op.precedence == POWER:
        return f"{_wrap(left, ATOM)}^{_wrap(right, UNARY)}", POWER
    space = " " if op.symbol in "+-" else ""
    least = ATOM if right[0].startswith("-") else op.precedence + 1
    written = _wrap(left, op.precedence), _wrap(right, least)
    return f"{written[0]}{space}{op.symbol}{space}{written[1]}", op.precedence


def _wrap(operand: tuple[str, int], least: int) -> str:
    text, precedence = operand
    return text if precedence >= least else f"({text})"


def _number_text(value: float) -> tuple[str, int]:
    sign, size = ("-", -value) if math.copysign(1, value) < 0 else ("", value)
    text = "pi" if size == math.pi else repr(size).removesuffix(".0")
    return sign + text, UNARY if sign else ATOM
