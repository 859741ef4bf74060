"""Which expressions are finite wherever a loss is, and the chain rule's product where one may not be."""

from collections.abc import Iterable, Sequence

from .expr import ONE, ZERO, Expr, constant, node

# Operations that make something finite of all that is finite, overflow of sums and products apart. Outside
# its domain sqrt, asin and acos are NaN, which is then the loss's matter.
KEEPS = {
    "number", "name", "cotangent", "add", "sub", "mul", "neg", "abs", "sign", "min", "max", "relu",
    "softplus", "sin", "cos", "tan", "atan", "tanh", "sigmoid", "sqrt", "asin", "acos",
}  # fmt: skip
# Operations that are not finite where an operand isn't: the loss then isn't either.
SHOWS = {
    "add", "sub", "mul", "neg", "abs", "sqrt", "log", "sin", "cos", "tan", "asin", "acos", "sinh", "cosh",
}  # fmt: skip


class Finite:
    """finite(part): `part` is finite wherever all of `roots` are, as far as its operations tell.

    Of exp(z) that is added to an output it is known, and of 1/v where u/v is; of z^n at z = 0 it isn't.
    `order` is what walk makes of the roots.
    """

    def __init__(self, roots: Iterable[Expr], order: Sequence[Expr]) -> None:
        self.known = dict.fromkeys(_shown(roots, order), True)
        for part in [part for part in self.known if part.op in ("div", "log")]:
            self.known |= dict.fromkeys(_finite_with(part), True)
        for part in [part for part in order if part not in self.known]:
            self(part)

    def __call__(self, part: Expr) -> bool:
        if part not in self.known:
            self.known[part] = (part.op in KEEPS or _keeps_by_number(part)) and all(map(self, part.args))
        return self.known[part]

    def chain(self, left: Expr, right: Expr) -> Expr:
        """left*right as the chain rule means it: a factor that is exactly 0 wins over one that isn't finite.

        Where both factors are finite it is the plain product.
        """
        if left is ONE or right is ONE:
            return right if left is ONE else left
        if left.op == "number" or right.op == "number":
            return ZERO if 0 in (left.value, right.value) else left * right
        if left.op == "neg" or right.op == "neg":
            return -(self.chain(left.args[0], right) if left.op == "neg" else self.chain(left, right.args[0]))
        if self(left):
            return left * right if self(right) else node("gate", left, right)
        return node("gate", right, left) if self(right) else node("chain", left, right)

    def add(self, total: Expr | None, term: Expr) -> Expr:
        """total + term, known from now on: sums grow long, and are asked about from their ends."""
        if total is None:
            return term
        found = total + term
        self(found)
        return found


def _shown(roots: Iterable[Expr], order: Sequence[Expr]) -> list[Expr]:
    """The parts that make a root infinite or NaN where they are."""
    shown = dict.fromkeys(roots)
    for part in reversed(order):
        if part not in shown:
            continue
        if part.op in SHOWS:
            shown |= dict.fromkeys(part.args)
        elif part.op == "div" or _keeps_by_number(part):
            shown[part.args[0]] = None
    return list(shown)


def _finite_with(part: Expr) -> tuple[Expr, ...]:
    """What is finite where a quotient or a logarithm is, though its operations don't tell: its partials."""
    if part.op == "log":
        return (ONE / part.args[0],)
    above, below = part.args
    return ONE / below, above / below / below


def _keeps_by_number(part: Expr) -> bool:
    """A quotient by a number other than 0, or a power by a positive integer."""
    if part.op not in ("div", "pow") or part.args[1].op != "number":
        return False
    size = constant(part.args[1])
    return size != 0 if part.op == "div" else size > 0 and size == int(size)
