"""Derivatives of expressions: the chain rule in both directions, over the table of partial derivatives.

`reverse` starts at the roots and gives gradients; `forward` starts at the leaves and gives Jacobians. Both
multiply by `Finite.chain`, in which a factor that is 0 wins over one that is infinite.
"""

from collections.abc import Collection, Iterable, Mapping

from .expr import ONE, ZERO, Expr, walk
from .finite import Finite
from .partials import PARTIALS

LINEAR = "add", "sub", "neg"  # their partials are numbers
MOST_SLOPES = 100_000  # parts times leaves: in larger graphs `reverse` never turns to `forward`


def reverse(seeds: Mapping[Expr, Expr], wanted: Collection[Expr]) -> dict[Expr, Expr]:
    """leaf -> the sum over the roots of seed * d root / d leaf: the chain rule, from the roots down.

    `seeds` are root -> seed, and `wanted` the leaves. A leaf that no root depends on gets 0.

    An operand that a leaf reaches along several paths, and whose partial may be infinite, as the one of
    sqrt(a*x^2 - a*x), is derived from the leaves up instead. Down from the root, the paths would be infinity
    and minus infinity, whose sum is NaN; up from the leaf they cancel before they meet infinity.

    >>> from packtrain.kernels.language.derive import reverse
    >>> from packtrain.kernels.language.expr import ONE, name, node
    >>> a, x = name("a"), name("x")
    >>> str(reverse({node("sin", a * x): ONE}, [a])[a])
    'cos(a*x)*x'
    """
    order = walk(*seeds)
    finite = Finite(seeds, order)
    reaching, several = _reaching(order, wanted)
    partials = {part: PARTIALS[part.op](*part.args) for part in order if part.args and reaching[part]}
    slopes = _slopes_of_risky(partials, several, wanted, finite) if several else {}
    cotangents: dict[Expr, Expr] = dict(seeds)
    for part in reversed(order):
        if part not in partials or part not in cotangents:
            continue
        for arg, partial in zip(part.args, partials[part], strict=True):
            if not reaching[arg]:
                continue
            product = finite.chain(cotangents[part], partial)
            if arg in slopes and not finite(partial):
                for leaf, slope in slopes[arg].items():
                    cotangents[leaf] = finite.add(cotangents.get(leaf), finite.chain(product, slope))
            else:
                cotangents[arg] = finite.add(cotangents.get(arg), product)
    return {leaf: cotangents.get(leaf, ZERO) if leaf in reaching else ZERO for leaf in wanted}


def _slopes_of_risky(
    partials: Mapping[Expr, tuple[Expr, ...]], several: set[Expr], wanted: Collection[Expr], finite: Finite
) -> dict[Expr, dict[Expr, Expr]]:
    """operand -> its slopes by the leaves, for those in `several` whose partial may be infinite."""
    risky = {
        arg: None
        for part, own in partials.items()
        if part.op not in LINEAR
        for arg, partial in zip(part.args, own, strict=True)
        if arg in several and not finite(partial)
    }
    if not risky or len(partials) * len(wanted) > MOST_SLOPES:
        return {}
    return dict(zip(risky, forward(risky, wanted, finite), strict=True))


def _reaching(order: Iterable[Expr], wanted: Iterable[Expr]) -> tuple[dict[Expr, int], set[Expr]]:
    """part -> the leaves it depends on, a bit each; and the parts that a leaf reaches along several paths."""
    bits = {leaf: 1 << place for place, leaf in enumerate(wanted)}
    reaching: dict[Expr, int] = {}
    several: set[Expr] = set()
    for part in order:
        reaching[part] = bits.get(part, 0)
        for arg in part.args:
            if reaching[part] & reaching[arg] or arg in several:
                several.add(part)
            reaching[part] |= reaching[arg]
    return reaching, several


def forward(
    roots: Iterable[Expr], wanted: Iterable[Expr], finite: Finite | None = None
) -> list[dict[Expr, Expr]]:
    """leaf -> d root / d leaf, one mapping a root: the chain rule, from the leaves up.

    Leaves that a root does not depend on are left out. The slopes of a part are known as soon as the part is,
    so this is the cheaper direction if there are many roots and few leaves (the residuals of all samples and
    the parameters). `finite` is made from the roots unless given.

    >>> from packtrain.kernels.language.derive import forward
    >>> from packtrain.kernels.language.expr import name, node
    >>> a, x = name("a"), name("x")
    >>> [slopes] = forward([node("sin", a * x)], [a])
    >>> str(slopes[a])
    'cos(a*x)*x'
    """
    roots = list(roots)
    order = walk(*roots)
    finite = finite or Finite(roots, order)
    slopes: dict[Expr, dict[Expr, Expr]] = {leaf: {leaf: ONE} for leaf in wanted}
    for part in order:
        if part in slopes:
            continue
        own = slopes[part] = {}
        if not any(slopes[arg] for arg in part.args):
            continue
        for arg, partial in zip(part.args, PARTIALS[part.op](*part.args), strict=True):
            for leaf, slope in slopes[arg].items():
                own[leaf] = finite.add(own.get(leaf), finite.chain(partial, slope))
    return [slopes[root] for root in roots]
