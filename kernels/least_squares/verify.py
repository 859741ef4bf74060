"""Checks of fits that have converged, in float64: what the criteria of single steps don't see."""

from functools import partial

import torch
from torch import Tensor

from .algebra import times
from .criteria import attainable_reduction, negligible, rounding_of
from .linearize import OutputsAndJacobian, blocks, by_qr
from .method import COARSE, DETERMINED, FAR, SMALL, Status
from .problem import Linear, Problem, Rules

ALONG = 1e-4  # of the parameters, or of |e|: how far to either side a curvature is measured
DISPLACEMENTS = (1e-6, 1e-7)  # of a parameter, or of 1 where it is 0: curvature has to be seen by both


def is_saddle(
    model: OutputsAndJacobian, parameters: Tensor, problem: Problem, rules: Rules, silent: Tensor
) -> Tensor:
    """Whether |e|^2 has negative curvature at `parameters` [R, P], in float64: [R] of bool.

    `silent` [R, P] are parameters whose columns of J are 0, so that the Hessian of |e|^2 / 2 among them
    is that of e alone. It is taken by differences of the gradient J^T e; a negative eigenvalue makes the
    place a saddle or a maximum.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules
    >>> from packtrain.kernels.least_squares.verify import is_saddle
    >>> model = lambda p, x: (p[:, None] ** 2 + 0 * x, 2 * p[:, None, None] + 0 * x[..., None])  # y = p^2
    >>> ones, start = torch.ones(3, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    >>> problem = Problem(ones, ones)
    >>> is_saddle(model, start, problem, Rules.unbounded(problem, start), silent=start == 0)
    tensor([True])
    """
    negative = [
        _curves_down(model, parameters, problem, rules, silent, sign * share)
        for sign in (1, -1)
        for share in DISPLACEMENTS
    ]
    return (negative[0] & negative[1]) | (negative[2] & negative[3])


def _curves_down(
    model: OutputsAndJacobian,
    parameters: Tensor,
    problem: Problem,
    rules: Rules,
    silent: Tensor,
    share: float,
) -> Tensor:
    """Whether the least eigenvalue of the Hessian among the `silent` is negative: [R] of bool.

    The Hessian's entries are scaled to cosines between e and second derivatives of the outputs.
    """
    hessian, size = (parameters.new_zeros(*parameters.shape, parameters.shape[1]) for _ in range(2))
    for column in silent.any(0).nonzero()[:, 0].tolist():
        displaced = parameters.clone()
        displaced[:, column] += share * torch.where(parameters == 0, 1, parameters.abs())[:, column]
        step = (displaced - parameters)[:, column, None]
        linear = by_qr(model, displaced, problem)
        within = ((rules.lower <= displaced) & (displaced <= rules.upper)).all(1, keepdim=True)
        both = silent & silent[:, [column]] & within & linear.rss.isfinite()[:, None]
        gradient = times(linear.projected, linear.root)
        norm = linear.root.square().sum(1).sqrt() * linear.rss.sqrt()[:, None]
        hessian[:, column] = torch.where(both, gradient / step, 0)
        size[:, column] = torch.where(both, norm / step.abs(), 0)
    unit = size.amax(1).sqrt()
    unit = unit.masked_fill(unit == 0, 1)
    cosines = (hessian + hessian.mT) / 2 / unit[:, :, None] / unit[:, None]
    return torch.linalg.eigvalsh(cosines)[:, 0] < -SMALL


def bends_down(model: OutputsAndJacobian, parameters: Tensor, problem: Problem, rules: Rules) -> Tensor:
    """Whether the sum of a problem's loss curves down in a direction from `parameters` [R, P]: [R] of bool.

    Steps take l'' for positive. Here it is what it is: the least eigenvalue of J^T diag(l'') J is sought, and
    where it is negative, the curvature along its direction is measured by differences of the gradient, which
    second derivatives of the outputs belong to.

    >>> import torch
    >>> from packtrain.kernels.equations.losses import loss_of
    >>> from packtrain.kernels.equations.robust import robust
    >>> from packtrain.kernels.least_squares import Problem, Rules
    >>> from packtrain.kernels.least_squares.robust import RobustLoss
    >>> from packtrain.kernels.least_squares.verify import bends_down
    >>> constant = lambda p, x: (p[:, None] + 0 * x, torch.ones(1, len(x), 1, 1).double())  # y = p
    >>> cauchy = RobustLoss(robust(loss_of("cauchy")), torch.ones(1, 1).double())
    >>> t = torch.tensor([[-9.0], [9.0]]).double()
    >>> problem, between = Problem(0 * t, t, loss=cauchy), torch.tensor([[0.001]]).double()
    >>> bends_down(constant, between, problem, Rules.unbounded(problem, between))
    tensor([True])
    """
    return problem.each(partial(_bends_down, model), parameters, rules)


def _bends_down(model: OutputsAndJacobian, problem: Problem, parameters: Tensor, rules: Rules) -> Tensor:
    assert problem.loss is not None
    inside = rules.free & (rules.lower < parameters) & (parameters < rules.upper)
    gram, size = (parameters.new_zeros(*parameters.shape, parameters.shape[1]) for _ in range(2))
    for columns in blocks(model, parameters, problem):
        jacobian, curvature = columns[..., :-1] * inside[:, None], problem.loss.curvature(columns[..., -1])
        gram += (jacobian * curvature[..., None]).mT @ jacobian
        size += (jacobian * curvature.abs()[..., None]).mT @ jacobian
    unit = size.diagonal(dim1=1, dim2=2).sqrt()
    unit = unit.masked_fill(~(unit > 0), 1)
    cosines = (gram / unit[:, :, None] / unit[:, None]).nan_to_num(0, 0, 0)
    values, vectors = torch.linalg.eigh(cosines)
    falls = values[:, 0] < -SMALL
    if bool(falls.any()):
        own = model, parameters[falls], problem.of(falls), vectors[falls, :, 0] / unit[falls]
        falls[falls.clone()] = _curvature_along(*own) < 0
    return falls


def _curvature_along(
    model: OutputsAndJacobian, parameters: Tensor, problem: Problem, direction: Tensor
) -> Tensor:
    """The second derivative of |e|^2 / 2 along a direction [R, P], by the gradients at both sides: [R]."""
    reach = torch.where(parameters == 0, 1, parameters.abs()) / direction.abs()
    step = ALONG * torch.minimum(reach.amin(1), by_qr(model, parameters, problem).rss.sqrt())
    slopes = []
    for sign in (1, -1):
        linear = by_qr(model, parameters + sign * step[:, None] * direction, problem)
        slopes.append((times(linear.projected, linear.root) * direction).sum(1))
    return (slopes[0] - slopes[1]) / step


def status_in_double(
    parameters: Tensor, scale: Tensor, linear: Linear, rules: Rules, status: Tensor, dtype: torch.dtype
) -> Tensor:
    """The `status` [R] of fits that converged in `dtype`, judged again by their linear problems in float64.

    Where the attainable reduction exceeds rounding error and a hundredth of |e|^2, the place is no
    minimum. Columns of J that are negligible beside `scale` [R, P] are left out, unless they are
    negligible only because they are orthogonal to e.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, Status
    >>> from packtrain.kernels.least_squares.problem import Linear
    >>> from packtrain.kernels.least_squares.verify import status_in_double
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> rules = Rules.unbounded(Problem(one[None], one[None]), one[None])
    >>> linear, converged = Linear(one, one[None, None], 0.5 * one[None]), torch.tensor([Status.COST])
    >>> Status(int(status_in_double(one[None], one[None], linear, rules, converged, torch.float32)))
    <Status.STUCK: 6>
    """
    gradient = times(linear.projected, linear.root)
    root = linear.root * rules.movable(parameters, gradient)[:, None]
    norm = root.square().sum(1).sqrt()
    terms = (norm * parameters).square().sum(1).sqrt()
    rounding, hidden = (rounding_of(linear.rss, size, dtype) for size in (rules.size, terms))
    matters = COARSE * norm * parameters.abs() * linear.rss.sqrt()[:, None] > FAR * rounding[:, None]
    significant = matters | ~negligible(norm, gradient, parameters, scale, rounding)
    tolerance = torch.finfo(torch.float64).eps ** DETERMINED
    attainable = attainable_reduction(
        root * significant[:, None], linear.projected, norm * significant, tolerance
    )
    worse = torch.where(attainable <= FAR * hidden, Status.HIDDEN, Status.STUCK)
    return torch.where(attainable > torch.maximum(FAR * rounding, COARSE**2 * linear.rss), worse, status)
