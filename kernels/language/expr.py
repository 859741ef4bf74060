"""Expressions: immutable trees over names and numbers, in which equal parts are one object."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from .notation import ATOM, LANGUAGE, Notation, Written


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Expr:
    """op(args...), or a leaf: a `number`, a `name`, or the `cotangent` of an output.

    Made by `node`, which returns the same object for the same expression: so `is` compares, and a
    dictionary keyed by expressions finds common subexpressions. The arithmetic operators simplify
    as they build (1*x is x); `node` keeps what it is given.

    op: a name in `ops.OPS`, or of a leaf. args: the operands. value: what a leaf holds.
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
        return written(self)


_interned: WeakValueDictionary[tuple, Expr] = WeakValueDictionary()


def node(op: str, *args: Expr, value: float | str | None = None) -> Expr:
    """The one expression op(args). A minus before a number belongs to the number.

    >>> from packtrain.kernels.language.expr import name, node, number
    >>> x = name("x")
    >>> node("sin", x) is node("sin", x), node("neg", number(2)) is number(-2)
    (True, True)
    """
    if op == "neg" and args[0].op == "number":
        return number(-constant(args[0]))
    key = (op, args, repr(value))  # repr tells 0.0 from -0.0
    expression = _interned.get(key)
    if expression is None:
        expression = _interned[key] = Expr(op, args, value)
    return expression


def number(value: float) -> Expr:
    """The constant `value`.

    >>> from packtrain.kernels.language.expr import number
    >>> str(number(0.5))
    '0.5'
    """
    return node("number", value=float(value))


def name(text: str) -> Expr:
    """The variable or parameter called `text`.

    >>> from packtrain.kernels.language.expr import name
    >>> str(name("a") * name("x"))
    'a*x'
    """
    return node("name", value=text)


ZERO, ONE, MINUS_ONE = number(0), number(1), number(-1)


def walk(*roots: Expr) -> list[Expr]:
    """Every node under `roots` once, operands before what uses them, left to right.

    >>> from packtrain.kernels.language.expr import name, walk
    >>> a, x = name("a"), name("x")
    >>> [str(part) for part in walk(a * x + a)]
    ['a', 'x', 'a*x', 'a*x + a']
    """
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
    """The names under `roots`, in order of appearance.

    >>> from packtrain.kernels.language.expr import name, names
    >>> names(name("a") * name("x") + name("a"))
    ['a', 'x']
    """
    return [str(leaf.value) for leaf in walk(*roots) if leaf.op == "name"]


def substitute(roots: Iterable[Expr], leaves: Mapping[str, Expr]) -> list[Expr]:
    """`roots` with each name in `leaves` replaced by its expression.

    >>> from packtrain.kernels.language.expr import name, number, substitute
    >>> [root] = substitute([name("a") * name("x")], {"a": number(2)})
    >>> str(root)
    '2*x'
    """
    roots = list(roots)
    if not leaves:
        return roots
    new: dict[Expr, Expr] = {}
    for old in walk(*roots):
        if old.op == "name":
            new[old] = leaves.get(str(old.value), old)
        else:
            new[old] = node(old.op, *(new[arg] for arg in old.args), value=old.value)
    return [new[root] for root in roots]


def constant(leaf: Expr) -> float:
    """The value of a number.

    >>> from packtrain.kernels.language.expr import constant, number
    >>> constant(number(2))
    2.0
    """
    assert isinstance(leaf.value, float)
    return leaf.value


def written(root: Expr, notation: Notation = LANGUAGE, most: int | None = None) -> str:
    """The text of an expression, by a table op -> text; its first `most` characters.

    Equal parts are one object, so that the whole of a text may have no end: x*x of x*x of x*x.

    >>> from packtrain.kernels.language.expr import name, number, written
    >>> written((name("a") + name("b")) ** number(2))
    '(a + b)^2'
    """
    texts: dict[Expr, Written] = {}
    for part in walk(root):
        operands = [texts[arg] for arg in part.args] if part.args else [part.value]
        text, precedence = notation[part.op](*operands)
        texts[part] = text[:most], precedence
    return texts[root][0]


def written_lines(root: Expr, notation: Notation, whole: str, part: str) -> list[tuple[str, str]]:
    """(name, text) of each part that stands more than once, called part1, part2, ..., then of the whole.

    So the text of what is written by doubling stays short.

    >>> from packtrain.kernels.language.expr import name, number, written_lines
    >>> from packtrain.kernels.language.notation import LANGUAGE
    >>> square = name("z") ** number(2)
    >>> written_lines(square + node("exp", square), LANGUAGE, "a", "p")
    [('p1', 'z^2'), ('a', 'p1 + exp(p1)')]
    """
    program = walk(root)
    uses = Counter(arg for user in program for arg in user.args)
    texts: dict[Expr, Written] = {}
    lines: list[tuple[str, str]] = []
    for expression in program:
        operands = [texts[arg] for arg in expression.args] if expression.args else [expression.value]
        texts[expression] = notation[expression.op](*operands)
        if expression.args and uses[expression] > 1:
            lines.append((f"{part}{len(lines) + 1}", texts[expression][0]))
            texts[expression] = lines[-1][0], ATOM
    return [*lines, (whole, texts[root][0])]
