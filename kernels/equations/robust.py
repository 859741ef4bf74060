"""Losses of an error e = y - t that least squares can make small, such as huber: what steps compute with.

With l' and l'' the derivatives of a loss l(e), rows of [J | e] become [s J | l'/s], s = sqrt(l''). Their
sums of products are the gradient of the sum of l and, but for second derivatives of y, its Hessian: Triggs,
McLauchlan, Hartley and Fitzgibbon, "Bundle adjustment - a modern synthesis" (1999), as scipy has it.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from ..language.expr import ZERO, Expr, name, node, number, substitute, walk
from ..language.formula import Formula
from .losses import OUTPUT, TARGET, Loss, constant_leaf

ERROR = node("error")  # the leaf of e
LEAST = 1e-7  # of l'' at 0, the least s^2: farther out l'' is 0 or negative, and 1/s would magnify rounding
SQUARES = ("mse", "sse")  # losses whose rows are those of [J | e]
TINY = 1e-30  # stands for an error of 0, where |e| has no slope


@dataclass(frozen=True)
class Robust:
    """A loss of e alone: a formula over y, which stands for e, and its constants.

    Its rows are over the leaves ERROR and the `leaves` of its constants.

    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.kernels.equations.robust import robust
    >>> str(robust(loss_of("cauchy")).formula.root)
    'delta^2/2*log1p((y/delta)^2)'
    """

    formula: Formula
    constants: tuple[str, ...]

    @cached_property
    def parts(self) -> tuple[Expr, Expr, Expr]:
        """l, l' and l'', over the formula's names."""
        slope = self.formula.slope("y")
        return self.formula.root, slope, Formula(slope, self.formula.variables).slope("y")

    @cached_property
    def rows(self) -> tuple[Expr, Expr, Expr]:
        """s, l'/s, and 2 l, which takes the place of e^2. s^2 is l'', but at least LEAST of that at 0."""
        value, slope, curvature = self.at_errors
        least = number(LEAST) * self.parts_at(number(TINY))[2]
        root = node("sqrt", node("max", curvature, least))
        return root, slope / root, number(2) * value

    @property
    def leaves(self) -> tuple[Expr, ...]:
        """As those of a Loss."""
        return tuple(map(constant_leaf, self.constants))

    @cached_property
    def at_errors(self) -> list[Expr]:
        """l, l' and l'' at ERROR, over the leaves."""
        return self.parts_at(node("where", ERROR, ERROR, number(TINY)))

    def parts_at(self, error: Expr) -> list[Expr]:
        """l, l' and l'' at an error, over the leaves."""
        leaves = {"y": error} | dict(zip(self.constants, self.leaves, strict=True))
        return substitute(self.parts, leaves)


@cache
def robust(loss: Loss) -> Robust | None:
    """The loss as least squares take it; None where it isn't one of y - t alone.

    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.kernels.equations.robust import robust
    >>> robust(loss_of("poisson")) is None, robust(loss_of("log(cosh(y - t))")) is None
    (True, False)
    """
    if loss.formula is None:
        return None
    y, t = name("y"), name("t")
    new = {y: OUTPUT, t: TARGET, y - t: y, t - y: -y}
    for part in walk(loss.formula.root):
        if part not in new:
            new[part] = node(part.op, *(new[arg] for arg in part.args), value=part.value)
    root = new[loss.formula.root]
    return None if {OUTPUT, TARGET} & set(walk(root)) else Robust(Formula(root, ("y",)), loss.constants)


def refusal(loss: Loss) -> str:
    """What in a loss's equation keeps least squares from it, whatever its constants; '' if nothing does.

    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.kernels.equations.robust import refusal
    >>> refusal(loss_of("mae")), refusal(loss_of("huber"))
    ('its second derivative is 0', '')
    """
    if (rule := robust(loss)) is None:
        return "it is not one of y - t alone"
    return "its second derivative is 0" if rule.parts[2] is ZERO else ""
