"""Robust losses of R fits: the rows that their steps take, and which losses have such rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from ..elementwise.reference import evaluate
from ..equations.losses import Loss
from ..equations.robust import ERROR, TINY, Robust, refusal, robust
from ..language.expr import Expr, number, walk

BESIDE = 1e-20  # an error beside 0
SMALL = 1e-9  # of l'' at 0: l and l' that count as 0


@dataclass(frozen=True)
class RobustLoss:
    """A loss of R fits, with its constants [R, C] in float64.

    >>> import torch
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.kernels.equations.robust import robust
    >>> from packtrain.kernels.least_squares.robust import RobustLoss
    >>> cauchy = RobustLoss(robust(loss_of("cauchy")), torch.tensor([[2.0]]).double())
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
        return self._values(self.rule.rows, errors)

    def at(self, error: float) -> Tensor:
        """l, l' and l'' at one error: [3, R]."""
        like = self.constants.new_zeros(len(self.constants), 1)
        return torch.cat(self._values(self.rule.parts_at(number(error)), like), 1).T

    def curvature(self, errors: Tensor) -> Tensor:
        """l'' at errors [R, M]: [R, M]."""
        return self._values(self.rule.at_errors[2:], errors)[0]

    def _values(self, parts: Sequence[Expr], errors: Tensor) -> list[Tensor]:
        columns = self.constants[..., None].unbind(1)
        values = {ERROR: errors, **dict(zip(self.rule.leaves, columns, strict=True))}
        evaluate(walk(*parts), values)
        return [values[part].expand_as(errors) for part in parts]


def fault_of(loss: Loss, constants: Tensor) -> str:
    """Why least squares can't make a sum of this loss small, for constants [R, C]; '' where they can.

    >>> import torch
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.kernels.least_squares.robust import fault_of
    >>> fault_of(loss_of("abs(y - t)^k"), torch.tensor([[1.5]])), fault_of(loss_of("huber"), torch.ones(1, 1))
    ('its second derivative at y = t is 0 or infinite', '')
    """
    rule = robust(loss)
    if rule is None or refusal(loss):
        return refusal(loss)
    own = RobustLoss(rule, constants.double())
    here, right, left = (own.at(error) for error in (TINY, BESIDE, -BESIDE))
    around, change = torch.stack([right, left]), here[2] / right[2]
    if not bool(((around[:, 2] > 0) & around[:, 2].isfinite() & (change > 0.5) & (change < 2)).all()):
        return "its second derivative at y = t is 0 or infinite"
    if not bool((around[:, :2].abs() <= SMALL * here[2]).all()):
        return "it has no minimum of 0 at y = t"
    return ""
