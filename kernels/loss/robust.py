"""Losses of an error e = y - t that least squares can make small, such as huber: what steps compute with.

With l' and l'' the derivatives of a loss l(e), rows of [J | e] become [s J | l'/s], s = sqrt(l''). Their
sums of products are the gradient of the sum of l and, but for second derivatives of y, its Hessian: Triggs,
McLauchlan, Hartley and Fitzgibbon, "Bundle adjustment - a modern synthesis" (1999), as scipy has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Self

import torch
from torch import Tensor

from ..elementwise.reference import evaluate
from ..language.expr import Expr, name, node, number, substitute, walk
from ..language.formula import Formula
from .rows import OUTPUT, TARGET, Loss, constant_leaf

SQUARES = ("mse", "sse")  # their rows are those of [J | e]
ERROR = node("error")  # the leaf of e
LEAST = 1e-7  # of l'' at 0, the least s^2: farther out l'' is 0 or negative, and 1/s would magnify rounding
TINY = 1e-30  # stands for an error of 0, where |e| has no slope
BESIDE = 1e-20  # an error beside 0
SMALL = 1e-9  # of l'' at 0: l and l' that count as 0


@dataclass(frozen=True)
class Robust:
    """A loss of e alone, over the leaves ERROR and the `constant_leaf` of each constant.

    >>> from packtrain.kernels.loss.robust import robust
    >>> from packtrain.kernels.loss.rows import loss_of
    >>> str(robust(loss_of("cauchy")).formula.root)
    'delta^2/2*log1p((y/delta)^2)'
    """

    loss: Loss
    formula: Formula  # over the name y, which stands for e

    @cached_property
    def parts(self) -> tuple[Expr, Expr, Expr]:
        """l, l' and l'' over the name y."""
        slope = self.formula.slope("y")
        return self.formula.root, slope, Formula(slope, self.formula.variables).slope("y")

    @cached_property
    def rows(self) -> tuple[Expr, Expr, Expr]:
        """s, l'/s, and 2 l, which takes the place of e^2. s^2 is l'', but at least LEAST of that at 0."""
        error = node("where", ERROR, ERROR, number(TINY))
        value, slope, curvature = (self.part_at(error, part) for part in self.parts)
        least = number(LEAST) * self.part_at(number(TINY), self.parts[2])
        root = node("sqrt", node("max", curvature, least))
        return root, slope / root, number(2) * value

    @cached_property
    def program(self) -> list[Expr]:
        """All that `rows` are computed by, in order."""
        return walk(*self.rows)

    def part_at(self, error: Expr, part: Expr) -> Expr:
        """One of `parts` at an error, over the leaves."""
        leaves = {"y": error} | {word: constant_leaf(word) for word in self.loss.constants}
        return substitute([part], leaves)[0]


@dataclass(frozen=True)
class RobustRuns:
    """A loss of R runs, with its constants [R, C] in float64.

    >>> import torch
    >>> from packtrain.kernels.loss.robust import RobustRuns, robust
    >>> from packtrain.kernels.loss.rows import loss_of
    >>> cauchy = RobustRuns(robust(loss_of("cauchy")), torch.tensor([[2.0]]).double())
    >>> [part.round(decimals=3).tolist() for part in cauchy.rows(torch.tensor([[0.0, 1.0]]).double())]
    [[[1.0, 0.693]], [[0.0, 1.155]], [[0.0, 0.893]]]
    """

    rule: Robust
    constants: Tensor

    def of(self, runs: Tensor) -> Self:
        """The same of these runs."""
        return replace(self, constants=self.constants[runs])

    def rows(self, errors: Tensor) -> list[Tensor]:
        """s, l'/s and 2 l of errors e [R, M] in float64, each [R, M]."""
        return self._values(self.rule.program, self.rule.rows, errors)

    def at(self, error: float) -> Tensor:
        """l, l' and l'' at one error: [3, R]."""
        parts = [self.rule.part_at(number(error), part) for part in self.rule.parts]
        columns = self._values(walk(*parts), parts, self.constants.new_zeros(len(self.constants), 1))
        return torch.cat(columns, 1).T

    def _values(self, program: Sequence[Expr], parts: Sequence[Expr], errors: Tensor) -> list[Tensor]:
        """The values of `parts`, like `errors`."""
        words = enumerate(self.rule.loss.constants)
        values = {ERROR: errors} | {constant_leaf(word): self.constants[:, i, None] for i, word in words}
        evaluate(program, values)
        return [values[part].expand_as(errors) for part in parts]

    @property
    def curvature(self) -> Tensor:
        """l'' at 0 of each run, [R]."""
        return self.at(TINY)[2]


@cache
def robust(loss: Loss) -> Robust | None:
    """The loss as least squares take it; None where it isn't one of y - t alone.

    >>> from packtrain.kernels.loss.robust import robust
    >>> from packtrain.kernels.loss.rows import loss_of
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
    return None if {OUTPUT, TARGET} & set(walk(root)) else Robust(loss, Formula(root, ("y",)))


def fault_of(loss: Loss, constants: Tensor) -> str:
    """Why least squares can't make a sum of this loss small, for constants [R, C]; '' where they can.

    >>> import torch
    >>> from packtrain.kernels.loss.robust import fault_of
    >>> from packtrain.kernels.loss.rows import loss_of
    >>> fault_of(loss_of("mae"), torch.zeros(1, 0)), fault_of(loss_of("huber"), torch.ones(1, 1))
    ('its second derivative at y = t is 0 or infinite', '')
    """
    if loss.name in SQUARES:
        return ""
    if (own := robust(loss)) is None:
        return "it is not one of y - t alone"
    here, right, left = (RobustRuns(own, constants.double()).at(e) for e in (TINY, BESIDE, -BESIDE))
    around, change = torch.stack([right, left]), here[2] / right[2]
    if not bool(((around[:, 2] > 0) & around[:, 2].isfinite() & (change > 0.5) & (change < 2)).all()):
        return "its second derivative at y = t is 0 or infinite"
    if not bool((around[:, :2].abs() <= SMALL * here[2]).all()):
        return "it has no minimum of 0 at y = t"
    return ""
