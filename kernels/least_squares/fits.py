"""Where R fits stand, and the step that each of them tries next."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from .algebra import column_norms, norm_of, times
from .method import LEAST_REACH, Status
from .problem import Linear, Rules, of_runs


@dataclass
class Fits:
    """Where R fits stand: parameters [R, P], their Linear problem, and the state of the method.

    `scale` [R, P] is the largest norm so far of each column of the Jacobian, Moré's scaling D; `radius`
    [R] is the trust radius, which bounds the scaled step; `damping` [R] is the Levenberg-Marquardt
    parameter that kept the last step within it; `status` [R] a Status.
    """

    parameters: Tensor
    rss: Tensor
    root: Tensor
    projected: Tensor
    scale: Tensor
    radius: Tensor
    damping: Tensor
    status: Tensor

    @classmethod
    def start(cls, parameters: Tensor, linear: Linear, rules: Rules, damped: bool) -> Self:
        """R fits before their first step."""
        movable = rules.movable(parameters, times(linear.projected, linear.root))
        scale = column_norms(linear.root * movable[:, None])
        reach = torch.maximum(norm_of(scale * parameters), LEAST_REACH * rules.size)
        first = rules.radius * torch.where(reach > 0, reach, 1)
        radius = first if damped else torch.full_like(first, torch.inf)
        status = torch.where(linear.rss.isfinite(), Status.RUNNING, Status.NOT_FINITE)
        return cls(parameters, *linear, scale, radius, torch.zeros_like(radius), status)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """All fits of `parts`, one after another."""
        return cls(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def of(self, runs: Tensor) -> Self:
        """The fits of these runs."""
        return of_runs(self, runs)

    def put(self, runs: Tensor, part: "Fits") -> None:
        """Writes `part` back to where `runs` stand."""
        for field in fields(self):
            getattr(self, field.name)[runs] = getattr(part, field.name)

    @property
    def gradient(self) -> Tensor:
        """J^T e, half the gradient of the sum of squares: [R, P]."""
        return times(self.projected, self.root)


@dataclass(frozen=True)
class Outlook:
    """What the linear model says of a step s of R fits, [R] each.

    `predicted` is the predicted reduction of |e|^2, and `square` |A s|^2; `length` and `reach` are |D s| and
    |D p|; `damping` is that of the step. `singular`: J has not full rank, and no damping makes up for it.
    `cosine` is |e| times the largest cosine between e and a column of J, and `terms` the norm of the columns
    times their parameters.
    """

    predicted: Tensor
    square: Tensor
    length: Tensor
    reach: Tensor
    damping: Tensor
    singular: Tensor
    cosine: Tensor
    terms: Tensor


@dataclass(frozen=True)
class Step(Outlook):
    """A step of R fits to `trial` [R, P], within the bounds, and what the linear model says of it.

    D is `scale` [R, P]. `significant` [R, P] are the movable parameters whose columns of J, of norms `norm`
    [R, P], aren't negligible; the `cosine` is that of one of them.
    """

    trial: Tensor
    significant: Tensor
    norm: Tensor
    scale: Tensor
