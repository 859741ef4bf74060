"""What a fit's criteria don't see of where it ended: what is beside it, and what float64 shows of it."""

import torch
from torch import Tensor

from .linearize import Linear, OutputsAndJacobian, by_qr
from .method import COARSE, DETERMINED, FAR, SMALL, Status
from .problem import Problem, Rules
from .reference import free_to_move, least_change, rounding_of, vanished

ASIDE = (1e-6, 1e-7)  # of a parameter, or of 1 where it is 0: how far it is moved, for both the same to show


def falls_beside(
    model: OutputsAndJacobian, parameters: Tensor, problem: Problem, rules: Rules, silent: Tensor
) -> Tensor:
    """Whether |e|^2 falls beside `parameters` [R, P], in float64, along those that are `silent`: [R] of bool.

    `silent` [R, P] are parameters by which every derivative is 0. What the gradient by them becomes where
    one of them is moved is the curvature among them; below 0 it makes a saddle or a maximum of the place.
    """
    seen = [
        _bends_down(model, parameters, problem, rules, silent, sign * share)
        for sign in (1, -1)
        for share in ASIDE
    ]
    return (seen[0] & seen[1]) | (seen[2] & seen[3])


def _bends_down(
    model: OutputsAndJacobian,
    parameters: Tensor,
    problem: Problem,
    rules: Rules,
    silent: Tensor,
    share: float,
) -> Tensor:
    """The least curvature among the silent, as a cosine between e and second derivatives, isn't above 0."""
    curvature, size = (parameters.new_zeros(*parameters.shape, parameters.shape[1]) for _ in range(2))
    for column in silent.any(0).nonzero()[:, 0].tolist():
        moved = parameters.clone()
        moved[:, column] += share * torch.where(parameters == 0, 1, parameters.abs())[:, column]
        step = (moved - parameters)[:, column, None]
        linear = by_qr(model, moved, problem)
        within = ((rules.lower <= moved) & (moved <= rules.upper)).all(1, keepdim=True)
        both = silent & silent[:, [column]] & within & linear.rss.isfinite()[:, None]
        slope = (linear.projected[:, None] @ linear.root)[:, 0]
        norm = linear.root.square().sum(1).sqrt() * linear.rss.sqrt()[:, None]
        curvature[:, column] = torch.where(both, slope / step, 0)
        size[:, column] = torch.where(both, norm / step.abs(), 0)
    unit = size.amax(1).sqrt()
    unit = unit.masked_fill(unit == 0, 1)
    cosines = (curvature + curvature.mT) / 2 / unit[:, :, None] / unit[:, None]
    return torch.linalg.eigvalsh(cosines)[:, 0] < -SMALL


def status_in_double(
    parameters: Tensor, scale: Tensor, linear: Linear, rules: Rules, status: Tensor, dtype: torch.dtype
) -> Tensor:
    """The `status` [R] of fits that converged in `dtype`, by their linear problems in float64.

    Where those promise more than rounding and a hundredth of |e|^2, it is no minimum. Columns that have
    vanished from `scale` [R, P] promise nothing, unless they are only at right angles to e.
    """
    slope = (linear.projected[:, None] @ linear.root)[:, 0]
    root = linear.root * free_to_move(parameters, slope, rules)[:, None]
    norm = root.square().sum(1).sqrt()
    terms = (norm * parameters).square().sum(1).sqrt()
    rounding, hidden = (rounding_of(linear.rss, size, dtype) for size in (rules.size, terms))
    moves = COARSE * norm * parameters.abs() * linear.rss.sqrt()[:, None] > FAR * rounding[:, None]
    live = moves | ~vanished(norm, slope, parameters, scale, rounding)
    least = torch.finfo(torch.float64).eps ** DETERMINED
    promise = -least_change(root * live[:, None], linear.projected, norm * live, least)
    worse = torch.where(promise <= FAR * hidden, Status.HIDDEN, Status.STUCK)
    return torch.where(promise > torch.maximum(FAR * rounding, COARSE**2 * linear.rss), worse, status)
