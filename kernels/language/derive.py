"""Derivatives of expressions: one table of partial derivatives, and two walks, from either end.

Their products are those of `Finite.chain`: (k*x)^n has the slope 0 at x = 0, where 0 meets an infinite
partial.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from .expr import ONE, ZERO, Expr, node, number, walk
from .finite import Finite

HALF, TWO = number(0.5), number(2)
LINEAR = "add", "sub", "neg"  # whose partials are numbers
MOST_SLOPES = 100_000  # of parts by leaves: a graph of more is derived from its roots down alone


def _sign(x: Expr) -> Expr:
    return node("sign", x)


def _f(op: str, *args: Expr) -> Expr:
    return node(op, *args)


def _power_slope(x: Expr, y: Expr) -> Expr:
    """y x^(y-1): 0 at x = 0 where y is 0."""
    rest = x ** (y - ONE)
    return y * rest if y.op == "number" else node("chain", y, rest)


# d op(x, y) / d x and / d y. At a kink: relu takes 0, abs takes 0, min and max share alike.
PARTIALS: dict[str, Callable[..., tuple[Expr, ...]]] = {
    "add": lambda x, y: (ONE, ONE),
    "sub": lambda x, y: (ONE, -ONE),
    "mul": lambda x, y: (y, x),
    "div": lambda x, y: (ONE / y, -(x / y / y)),
    "neg": lambda x: (-ONE,),
    "pow": lambda x, y: (_power_slope(x, y), _f("plogx", x**y, x)),
    "exp": lambda x: (_f("exp", x),),
    "log": lambda x: (ONE / x,),
    "sqrt": lambda x: (HALF / _f("sqrt", x),),
    "abs": lambda x: (_sign(x),),
    "sin": lambda x: (_f("cos", x),),
    "cos": lambda x: (-_f("sin", x),),
    "tan": lambda x: (ONE + _f("tan", x) ** TWO,),
    "asin": lambda x: (ONE / _f("sqrt", ONE - x**TWO),),
    "acos": lambda x: (-(ONE / _f("sqrt", ONE - x**TWO)),),
    "atan": lambda x: (ONE / (ONE + x**TWO),),
    "sinh": lambda x: (_f("cosh", x),),
    "cosh": lambda x: (_f("sinh", x),),
    "tanh": lambda x: (ONE - _f("tanh", x) ** TWO,),
    "sigmoid": lambda x: (_f("sigmoid", x) * (ONE - _f("sigmoid", x)),),
    "relu": lambda x: (_sign(_f("relu", x)),),
    "softplus": lambda x: (_f("sigmoid", x),),
    "min": lambda x, y: (HALF * (ONE - _sign(x - y)), HALF * (ONE + _sign(x - y))),
    "max": lambda x, y: (HALF * (ONE + _sign(x - y)), HALF * (ONE - _sign(x - y))),
}


def reverse(seeds: Mapping[Expr, Expr], wanted: Collection[Expr]) -> dict[Expr, Expr]:
    """d(sum of root * seed) / d leaf for each wanted leaf: the chain rule, from the roots down.

    Parts that no wanted leaf feeds get no derivative. A wanted leaf that feeds no root gets 0. Where a
    partial may be infinite and a leaf feeds its operand in several ways, as in sqrt(a*x^2 - a*x), that
    operand is derived from the leaves up: infinity minus infinity would be NaN.
    """
    order = walk(*seeds)
    finite = Finite(seeds, order)
    fed, several = _feeding(order, wanted)
    partials = {part: PARTIALS[part.op](*part.args) for part in order if part.args and fed[part]}
    slopes = _slopes_of_risky(partials, several, wanted, finite) if several else {}
    cotangents: dict[Expr, Expr] = dict(seeds)
    for part in reversed(order):
        if part not in partials or part not in cotangents:
            continue
        for arg, partial in zip(part.args, partials[part], strict=True):
            if not fed[arg]:
                continue
            product = finite.chain(cotangents[part], partial)
            if arg in slopes and not finite(partial):
                for leaf, slope in slopes[arg].items():
                    cotangents[leaf] = finite.add(cotangents.get(leaf), finite.chain(product, slope))
            else:
                cotangents[arg] = finite.add(cotangents.get(arg), product)
    return {leaf: cotangents.get(leaf, ZERO) if leaf in fed else ZERO for leaf in wanted}


def _slopes_of_risky(
    partials: Mapping[Expr, tuple[Expr, ...]], several: set[Expr], wanted: Collection[Expr], finite: Finite
) -> dict[Expr, dict[Expr, Expr]]:
    """The slopes by the wanted leaves of operands that one feeds in several ways under a wild partial."""
    risky = {
        arg: None
        for part, found in partials.items()
        if part.op not in LINEAR
        for arg, partial in zip(part.args, found, strict=True)
        if arg in several and not finite(partial)
    }
    if not risky or len(partials) * len(wanted) > MOST_SLOPES:
        return {}
    return dict(zip(risky, forward(risky, wanted, finite), strict=True))


def _feeding(order: Iterable[Expr], wanted: Iterable[Expr]) -> tuple[dict[Expr, int], set[Expr]]:
    """The wanted leaves that feed each part, a bit each, and the parts that one feeds in several ways."""
    bits = {leaf: 1 << place for place, leaf in enumerate(wanted)}
    fed: dict[Expr, int] = {}
    several: set[Expr] = set()
    for part in order:
        fed[part] = bits.get(part, 0)
        for arg in part.args:
            if fed[part] & fed[arg] or arg in several:
                several.add(part)
            fed[part] |= fed[arg]
    return fed, several


def forward(
    roots: Iterable[Expr], wanted: Iterable[Expr], finite: Finite | None = None
) -> list[dict[Expr, Expr]]:
    """d root / d leaf of each root, for the wanted leaves that feed it: the chain rule, from the leaves up.

    The slopes of each part are known as soon as the part is: with many roots and few leaves (the
    samples' residuals and the parameters) this is the cheaper direction. `finite` knows what is, else the
    roots tell.
    """
    roots = list(roots)
    order = walk(*roots)
    finite = finite or Finite(roots, order)
    slopes: dict[Expr, dict[Expr, Expr]] = {leaf: {leaf: ONE} for leaf in wanted}
    for part in order:
        if part in slopes:
            continue
        found = slopes[part] = {}
        if not any(slopes[arg] for arg in part.args):
            continue
        for arg, partial in zip(part.args, PARTIALS[part.op](*part.args), strict=True):
            for leaf, slope in slopes[arg].items():
                found[leaf] = finite.add(found.get(leaf), finite.chain(partial, slope))
    return [slopes[root] for root in roots]
