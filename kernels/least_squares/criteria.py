"""When a fit ends: MINPACK's tests of convergence, and whether it then is at a minimum.

MINPACK's tests say that steps no longer help. They hold on a plateau too, and where every step is
refused. So a fit has converged only if the linear model, too, can't reduce |e|^2 by much: then e is
nearly orthogonal to the range of J. That is the relative offset of Bates and Watts, "A relative offset
orthogonality convergence criterion for nonlinear least squares" (1981).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .algebra import solve, sum_of
from .fits import Fits, Outlook, Step
from .method import COARSE, DETERMINED, FAR, NEGLIGIBLE, ROUNDINGS, SMALL, Status
from .problem import Rules


def judge(fits: Fits, rules: Rules, step: Step, rss: Tensor, radius: Tensor) -> Tensor:
    """The Status [R] of the first criterion that holds after a trial `step`.

    `rss` [R] is the sum of squares at the trial parameters, `radius` [R] the new trust radius.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, Status
    >>> from packtrain.kernels.least_squares.criteria import judge
    >>> from packtrain.kernels.least_squares.fits import Fits
    >>> from packtrain.kernels.least_squares.problem import Linear
    >>> from packtrain.kernels.least_squares.reference import propose
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> rules = Rules.unbounded(Problem(one[None], one[None]), one[None])
    >>> fits = Fits.start(one[None], Linear(one, one[None, None], 1e-9 * one[None]), rules, damped=True)
    >>> Status(int(judge(fits, rules, propose(fits, rules, damped=True), one, fits.radius)))
    <Status.GRADIENT: 1>
    """

    def attainable(needed: Tensor) -> Tensor:
        return _attainable(fits, step, needed)

    return first_criterion(fits.rss, rules, step, rss, radius, fits.parameters.dtype, attainable)


def first_criterion(
    before: Tensor,
    rules: Rules,
    step: Outlook,
    rss: Tensor,
    radius: Tensor,
    dtype: torch.dtype,
    attainable: Callable[[Tensor], Tensor],
) -> Tensor:
    """As judge, of steps that took the sum of squares from `before` to `rss` [R].

    `attainable` makes the largest reduction by the linear model [R], infinite where it isn't needed [R].

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, Status
    >>> from packtrain.kernels.least_squares.criteria import first_criterion
    >>> from packtrain.kernels.least_squares.fits import Outlook
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> rules = Rules.unbounded(Problem(one[None], one[None]), one[None])
    >>> step = Outlook(*[1e-20 * one] * 3, one, one, singular=one < 0, cosine=one, terms=one)
    >>> status = first_criterion(one, rules, step, one, one, one.dtype, lambda needed: 1e-20 * one)
    >>> Status(int(status))
    <Status.COST: 2>
    """
    actual, predicted = before - rss, step.predicted
    tolerance, rounding = rules.ftol * before, rounding_of(before, rules.size, dtype)
    improved = actual > 0
    orthogonal = step.cosine <= rules.gtol * before.sqrt()
    flat = (actual.abs() <= tolerance) & (predicted.abs() <= tolerance) & (actual <= 2 * predicted)
    rounded = ~improved & (predicted.abs() <= rounding)
    short = torch.minimum(radius, step.length) <= rules.xtol * step.reach
    left = attainable(orthogonal | flat | rounded | short)
    contradicted = left > FAR * (tolerance + rounding)
    offset = torch.maximum(FAR * rules.ftol, rules.gtol.square()).clamp(SMALL**2, COARSE**2)
    minimum = left <= torch.maximum(FAR * rounding, offset * before)
    hidden = left <= FAR * rounding_of(before, step.terms, dtype)
    refused = short & ~improved
    return _first(
        (orthogonal & minimum, Status.GRADIENT),
        (step.singular, Status.SINGULAR),
        (flat & minimum & ~contradicted, Status.COST),
        (rounded & minimum & ~contradicted, Status.ROUNDING),
        (short & minimum & (rss.isfinite() | ~contradicted), Status.STEP),
        (refused & hidden & rss.isfinite(), Status.HIDDEN),
        (refused, Status.STUCK),
    )


def rounding_of(rss: Tensor, size: Tensor, dtype: torch.dtype) -> Tensor:
    """The rounding error of sums of squares `rss` [R]; `size` [R] is the norm of the outputs or their terms.

    >>> import torch
    >>> from packtrain.kernels.least_squares.criteria import rounding_of
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> rounding_of(one, 1e6 * one, torch.float64)
    tensor([8.8818e-10], dtype=torch.float64)
    """
    return torch.finfo(dtype).eps * (ROUNDINGS * rss.sqrt() * size + rss)


def negligible(norm: Tensor, gradient: Tensor, parameters: Tensor, scale: Tensor, rounding: Tensor) -> Tensor:
    """Columns of J [R, P] that count as zero, so that J is rank deficient in their parameters.

    The `norm` [R, P] of such a column has become small beside its largest so far, `scale` [R, P], and a
    change of its parameter by its whole value reduces |e|^2 by no more than `rounding` [R]. So it is for
    k at the minimum k = 0 of a model in k^2: the direction of the column 2 k is rounding. `gradient` [R,
    P] is J^T e.

    >>> import torch
    >>> from packtrain.kernels.least_squares.criteria import negligible
    >>> norm, scale = torch.tensor([[1e-9, 1.0]]), torch.ones(1, 2)
    >>> negligible(norm, 1e-9 * norm, 1e-9 * scale, scale, rounding=torch.tensor([1e-16]))
    tensor([[ True, False]])
    """
    return (norm <= NEGLIGIBLE * scale) & ((gradient * parameters).abs() <= FAR * rounding[:, None])


def attainable_reduction(root: Tensor, projected: Tensor, norm: Tensor, tolerance: float) -> Tensor:
    """The largest reduction of |A s + c|^2, by the Gauss-Newton step: [R].

    It is |c|^2 projected on the range of A, but for the directions whose singular values, the columns
    scaled to 1, are below `tolerance`. `norm` [R, P] are the norms of A's columns; those of norm 0 are
    left out.

    >>> import torch
    >>> from packtrain.kernels.least_squares.criteria import attainable_reduction
    >>> root, projected = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]]), torch.tensor([[3.0, 1.0]])
    >>> attainable_reduction(root, projected, torch.tensor([[2.0, 0.0]]), 1e-6).round(decimals=3)
    tensor([9.])
    """
    step, _ = solve(root, projected, torch.where(norm > 0, tolerance * norm, 1))
    change = (root @ step[..., None])[..., 0]
    return -sum_of(change * (change + 2 * projected))


def _attainable(fits: Fits, step: Step, needed: Tensor) -> Tensor:
    """The attainable reduction by the significant parameters: [R], infinite where it isn't `needed`."""
    reduction = torch.full_like(fits.rss, torch.inf)
    if not bool(needed.any()):
        return reduction
    significant, tolerance = step.significant[needed], torch.finfo(fits.parameters.dtype).eps ** DETERMINED
    root, norm = fits.root[needed] * significant[:, None], torch.where(significant, step.norm[needed], 0)
    reduction[needed] = attainable_reduction(root, fits.projected[needed], norm, tolerance)
    return reduction


def _first(*cases: tuple[Tensor, Status]) -> Tensor:
    """The status of the first case that holds, else RUNNING."""
    status = torch.full_like(cases[0][0], Status.RUNNING, dtype=torch.int64)
    for holds, value in reversed(cases):
        status = status.masked_fill(holds, value)
    return status
