"""Derivatives of expressions: one table of partial derivatives, and two walks, from either end.

Their products are `chain`s: (k*x)^n has the slope 0 at x = 0, where 0 and an infinite partial meet.
"""

from collections.abc import Callable, Iterable, Mapping

from kernels.expression.expr import ONE, ZERO, Expr, chain, node, number, walk

HALF, TWO = number(0.5), number(2)


def _sign(x: Expr) -> Expr:
    return node("sign", x)


def _f(op: str, *args: Expr) -> Expr:
    return node(op, *args)


# d op(x, y) / d x and / d y. At a kink: relu takes 0, abs takes 0, min and max share alike.
PARTIALS: dict[str, Callable[..., tuple[Expr, ...]]] = {
    "add": lambda x, y: (ONE, ONE),
    "sub": lambda x, y: (ONE, -ONE),
    "mul": lambda x, y: (y, x),
    "div": lambda x, y: (ONE / y, -(x / y / y)),
    "neg": lambda x: (-ONE,),
    "pow": lambda x, y: (chain(y, x ** (y - ONE)), _f("plogx", x**y, x)),
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


def reverse(seeds: Mapping[Expr, Expr], wanted: set[Expr]) -> dict[Expr, Expr]:
    """d(sum of root * seed) / d leaf for each wanted leaf: the chain rule, from the roots down.

    Parts that no wanted leaf feeds get no derivative. A wanted leaf that feeds no root gets 0.
    """
    order = walk(*seeds)
    active: set[Expr] = set()
    for part in order:
        if part in wanted or any(arg in active for arg in part.args):
            active.add(part)
    cotangents: dict[Expr, Expr] = dict(seeds)
    for part in reversed(order):
        if part not in active or not part.args or part not in cotangents:
            continue
        for arg, partial in zip(part.args, PARTIALS[part.op](*part.args), strict=True):
            if arg in active:
                cotangents[arg] = cotangents.get(arg, ZERO) + chain(cotangents[part], partial)
    return {leaf: cotangents.get(leaf, ZERO) if leaf in active else ZERO for leaf in wanted}


def forward(roots: Iterable[Expr], wanted: Iterable[Expr]) -> list[dict[Expr, Expr]]:
    """d root / d leaf of each root, for the wanted leaves that feed it: the chain rule, from the leaves up.

    The slopes of each part are known as soon as the part is: with many roots and few leaves (the
    samples' residuals and the parameters) this is the cheaper direction.
    """
    roots = list(roots)
    slopes: dict[Expr, dict[Expr, Expr]] = {leaf: {leaf: ONE} for leaf in wanted}
    for part in walk(*roots):
        if part in slopes:
            continue
        found = slopes[part] = {}
        if not any(slopes[arg] for arg in part.args):
            continue
        for arg, partial in zip(part.args, PARTIALS[part.op](*part.args), strict=True):
            for leaf, slope in slopes[arg].items():
                found[leaf] = found.get(leaf, ZERO) + chain(partial, slope)
    return [slopes[root] for root in roots]
