"""What tests of robust losses share: the losses written out in torch, and their derivatives by autograd."""

from collections.abc import Callable

import torch
from torch import Tensor

from packtrain.kernels.equations.losses import loss_of
from packtrain.kernels.equations.robust import Robust, robust
from packtrain.kernels.least_squares.robust import RobustLoss

Values = Callable[[Tensor, Tensor], Tensor]
WELSCH = "-expm1(-(y - t)^2/2)"  # a user's own

# of errors e and delta
BY_TORCH: dict[str, Values] = {
    "huber": lambda e, d: torch.where(e.abs() <= d, e.square() / 2, d * (e.abs() - d / 2)),
    "soft_l1": lambda e, d: d**2 * (torch.sqrt(1 + (e / d) ** 2) - 1),
    "cauchy": lambda e, d: d**2 / 2 * torch.log1p((e / d) ** 2),
    "arctan": lambda e, d: d**2 / 2 * torch.atan((e / d) ** 2),
    "log_cosh": lambda e, d: torch.log(torch.cosh(e)),
    WELSCH: lambda e, d: 1 - torch.exp(-e.square() / 2),
}
ROBUST = tuple(BY_TORCH)
OF_SCIPY = ROBUST[:4]


def robust_of(name: str) -> Robust:
    """The rule of a loss."""
    rule = robust(loss_of(name))
    assert rule is not None
    return rule


def deltas(name: str, runs: int, first: float = 0.3) -> Tensor:
    """The constants of a loss, [R, C]: delta grows from run to run."""
    return first * (1 + torch.arange(runs).double())[:, None].expand(-1, len(robust_of(name).constants))


def of_runs(name: str, runs: int, first: float = 0.3) -> RobustLoss:
    """A loss of R fits with these constants."""
    return RobustLoss(robust_of(name), deltas(name, runs, first))


def by_autograd(name: str, errors: Tensor, constants: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """l, l' and l'' of errors [R, M], each [R, M]."""
    leaf = errors.detach().clone().requires_grad_()
    delta = constants if constants.shape[1] else torch.ones(1, 1, dtype=torch.float64)
    value = BY_TORCH[name](leaf, delta)
    (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), leaf)
    return value.detach(), slope.detach(), curvature
