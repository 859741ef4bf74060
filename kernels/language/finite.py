"""The chain rule's product, and which of its factors may be infinite.

exp(-k/x) is flat at x = 0: its slope by k is 0. But the chain rule multiplies exp(-inf) = 0 by -1/0, and
0 times infinity is NaN. Hence in a product of the chain rule a factor that is exactly 0 wins, whatever the
other one is: the operations `gate` and `chain` of `ops`. They cost a comparison a sample, and most products
don't need them: none of their factors is infinite, or only where the loss isn't finite either. `Finite`
knows which.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from .expr import ONE, ZERO, Expr, constant, node
from .partials import PARTIALS

COMPARISONS = {"lt", "le", "gt", "ge"}  # finite of all operands, even of NaN
# Operations whose result is finite if all operands are.
BOUNDED = {
    "number", "name", "cotangent", "neg", "abs", "sign", "floor", "ceil", "round", "min", "max", "where",
    "relu", "softplus", "sigmoid", "sin", "cos", "tan", "sinc", "sinc_slope", "atan", "atan2", "tanh",
    "asinh", "cbrt", "hypot", "erf", "erfc", "j0", "j1", "j1_over_x",
}  # fmt: skip
# Likewise, but for overflow, and NaN outside their domain: a loss that sees these isn't finite either.
FAIL_OPENLY = {"add", "sub", "mul", "mod", "sqrt", "asin", "acos", "acosh", "wofz_real", "wofz_imag"}
# Operations whose result isn't finite if an operand isn't.
INFINITE_OF_INFINITE = {
    "add", "sub", "mul", "neg", "abs", "sqrt", "cbrt", "log", "log1p", "log10", "log2", "floor", "ceil",
    "round", "sin", "cos", "tan", "asin", "acos", "sinh", "cosh", "asinh", "acosh", "atanh", "hypot",
}  # fmt: skip
DROPS_NAN = {"where", "pow", *COMPARISONS}  # a power does if its exponent isn't a number
# Operations whose partial derivatives are finite where their result is.
SMOOTH_WHERE_FINITE = {
    "div", "log", "log1p", "log10", "log2", "expm1", "sinh", "hypot", "atanh", "lgamma", "erfcx",
}  # fmt: skip


class Finite:
    """finite(part): whether `part` is finite at each sample where all of `roots` are. False if in doubt.

    A part is finite
    - if a root could not be finite without it, as exp(z) in the root exp(z) + b;
    - if its operands are and its operation keeps that, as sin(z) of a finite z; sqrt(z) does unless z < 0,
      when the roots are NaN, too, if it isn't in a branch that `where` leaves out;
    - if it is a partial derivative of a finite u/v or log(v): 1/v and u/v/v are finite where these are.

    `roots` are the outputs, and `order` is `walk(*roots)`.

    >>> from packtrain.kernels.language.expr import name, node, walk
    >>> from packtrain.kernels.language.finite import Finite
    >>> growth, b = node("exp", name("z")), name("b")
    >>> seen, hidden = growth + b, node("tanh", growth)
    >>> Finite([seen], walk(seen))(growth), Finite([hidden], walk(hidden))(growth)
    (True, False)
    """

    def __init__(self, roots: Iterable[Expr], order: Sequence[Expr]) -> None:
        self.known = dict.fromkeys(_finite_with(roots, order), True)
        self.unseen = _unseen(roots, order)
        for part in [part for part in self.known if part.op in SMOOTH_WHERE_FINITE]:
            self.known |= dict.fromkeys(map(_without_sign, PARTIALS[part.op](*part.args)), True)
        for part in [part for part in order if part not in self.known]:
            self(part)

    def __call__(self, part: Expr) -> bool:
        if part not in self.known:
            openly = part.op in FAIL_OPENLY or _by_number(part)
            keeps = part.op in BOUNDED or (openly and part not in self.unseen)
            self.known[part] = part.op in COMPARISONS or (keeps and all(map(self, part.args)))
        return self.known[part]

    def chain(self, left: Expr, right: Expr) -> Expr:
        """left*right, where a factor that is exactly 0 wins over one that is infinite or NaN.

        A plain product if both are known to be finite, `gate` with the finite one first if one is, else
        `chain`. Where a factor chooses between 1 and 0, the other one is chosen, or 0.
        """
        if left is ONE or right is ONE:
            return right if left is ONE else left
        if _chooses(left) or _chooses(right):
            choice, other = (left, right) if _chooses(left) else (right, left)
            return node(
                "where", choice.args[0], *(other if each is ONE else ZERO for each in choice.args[1:])
            )
        if left.op == "number" or right.op == "number":
            return ZERO if 0 in (left.value, right.value) else left * right
        if left.op == "neg" or right.op == "neg":
            return -(self.chain(left.args[0], right) if left.op == "neg" else self.chain(left, right.args[0]))
        if self(left):
            return left * right if self(right) else node("gate", left, right)
        return node("gate", right, left) if self(right) else node("chain", left, right)

    def add(self, total: Expr | None, term: Expr) -> Expr:
        """total + term, or `term` where there is no total yet.

        Whether each partial sum is finite is noted here: first asked of a long sum, it would recurse deeply.
        """
        if total is None:
            return term
        longer = total + term
        self(longer)
        return longer


def _finite_with(roots: Iterable[Expr], order: Sequence[Expr]) -> list[Expr]:
    """The roots, and the parts without which one could not be finite."""
    needed = dict.fromkeys(roots)
    for part in reversed(order):
        if part not in needed:
            continue
        if part.op in INFINITE_OF_INFINITE:
            needed |= dict.fromkeys(part.args)
        elif part.op == "div" or _by_number(part):
            needed[part.args[0]] = None
    return list(needed)


def _unseen(roots: Iterable[Expr], order: Sequence[Expr]) -> set[Expr]:
    """The parts that may be NaN while the roots are finite: they lead to nothing but what drops NaN."""
    if DROPS_NAN.isdisjoint(map(attrgetter("op"), order)):
        return set()
    seen = set(roots)
    for part in reversed(order):
        if part in seen and not (part.op in DROPS_NAN and _drops_nan(part)):
            seen.update(part.args)
    return set(order) - seen


def _drops_nan(part: Expr) -> bool:
    """`where` leaves an operand out, comparisons with NaN are 0, NaN^0 and 1^NaN are 1."""
    return part.op != "pow" or part.args[1].op != "number" or constant(part.args[1]) == 0


def _without_sign(part: Expr) -> Expr:
    return part.args[0] if part.op == "neg" else part


def _chooses(part: Expr) -> bool:
    """Whether `part` is 1 or 0, as the slope of `where`."""
    return part.op == "where" and set(part.args[1:]) == {ONE, ZERO}


def _by_number(part: Expr) -> bool:
    """A quotient by a number other than 0, or a power by a positive integer."""
    if part.op not in ("div", "pow") or part.args[1].op != "number":
        return False
    value = constant(part.args[1])
    return value != 0 if part.op == "div" else value > 0 and value == int(value)
