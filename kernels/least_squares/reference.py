"""The definition: one iteration of R least-squares fits in eager torch."""

from collections.abc import Callable

import torch
from torch import Tensor

from .algebra import column_norms, damped_step, norm_of, shortened_step, sum_of
from .criteria import judge, negligible, rounding_of
from .fits import Fits, Outlook, Step
from .method import Status
from .problem import Linear, Rules


def iterate(fits: Fits, rules: Rules, damped: bool, evaluate: Callable[[Tensor], Linear]) -> Fits:
    """One trial step of each running fit: accepted where it lowers the sum of squares, and then judged.

    `evaluate` linearizes at trial parameters [R, P]. `damped`: Levenberg-Marquardt, else Gauss-Newton.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, linearize
    >>> from packtrain.kernels.least_squares.fits import Fits
    >>> from packtrain.kernels.least_squares.reference import iterate
    >>> x, p = torch.tensor([[1.0], [2.0]], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    >>> problem, model = Problem(x, 5 * x), lambda p, x: (p[:, None] * x, x[None, ..., None])  # y = p x
    >>> evaluate, rules = lambda p: linearize(model, p, problem), Rules.unbounded(problem, p)
    >>> fits = iterate(Fits.start(p, evaluate(p), rules, damped=False), rules, False, evaluate)
    >>> round(fits.parameters.item(), 6)
    5.0
    """
    step = propose(fits, rules, damped)
    there = evaluate(step.trial)
    actual = fits.rss - there.rss
    radius = new_radius(fits.rss, fits.radius, step, actual, damped)
    status = judge(fits, rules, step, there.rss, radius)
    running = fits.status == Status.RUNNING
    accepted = running & (actual > 0) & (status != Status.GRADIENT)
    return Fits(
        parameters=_where(accepted, step.trial, fits.parameters),
        rss=_where(accepted, there.rss, fits.rss),
        root=_where(accepted, there.root, fits.root),
        projected=_where(accepted, there.projected, fits.projected),
        scale=_where(running, step.scale, fits.scale),
        radius=_where(running, radius, fits.radius),
        damping=_where(running, step.damping, fits.damping),
        status=_where(running, status, fits.status),
    )


def propose(fits: Fits, rules: Rules, damped: bool) -> Step:
    """The step of the movable parameters within the trust radius, then projected on the bounds.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules
    >>> from packtrain.kernels.least_squares.fits import Fits
    >>> from packtrain.kernels.least_squares.problem import Linear
    >>> from packtrain.kernels.least_squares.reference import propose
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> rules = Rules.unbounded(Problem(one[None], one[None]), one[None])
    >>> fits = Fits.start(one[None], Linear(17 * one, one[None, None], -4 * one[None]), rules, damped=True)
    >>> step = propose(fits, rules, damped=True)
    >>> step.trial.item(), step.predicted.item()
    (5.0, 16.0)
    """
    old, gradient = fits.parameters.double(), fits.gradient
    movable = rules.movable(old, gradient)
    root = fits.root * movable[:, None]
    norm = column_norms(root)
    scale = torch.maximum(fits.scale, norm)
    weight = torch.where(scale > 0, scale, 1)
    solver = damped_step if damped else shortened_step
    step, damping, singular = solver(root, fits.projected, ~movable, weight, fits.radius, fits.damping)
    trial = torch.where(movable, torch.clamp(old + step, rules.lower, rules.upper), old).to(
        fits.parameters.dtype
    )
    step = trial - old
    change = (root @ step[..., None])[..., 0]
    rounding = rounding_of(fits.rss, rules.size, fits.parameters.dtype)
    significant = (norm > 0) & ~negligible(norm, gradient, old, scale, rounding)
    return Step(
        predicted=-sum_of(change * (change + 2 * fits.projected)),
        square=sum_of(change.square()),
        length=norm_of(weight * step),
        reach=norm_of(scale * old),
        damping=damping,
        singular=singular,
        cosine=torch.where(significant, gradient.abs() / norm, 0).amax(1),
        terms=norm_of(norm * old),
        trial=trial,
        significant=significant,
        norm=norm,
        scale=scale,
    )


def new_radius(rss: Tensor, radius: Tensor, step: Outlook, actual: Tensor, damped: bool) -> Tensor:
    """The trust radius after a step with the reduction `actual` [R] of `rss`, as MINPACK's lmder updates it.

    Up to a quarter of the predicted reduction it shrinks, to the minimum of the parabola through both
    sums of squares, but tenfold at most; from three quarters on, or without damping, it becomes twice the
    step. A step that a bound has cut may predict a rise: its ratio counts as 0. Gauss-Newton has none after
    a step that helps.

    >>> import torch
    >>> from packtrain.kernels.least_squares.fits import Outlook
    >>> from packtrain.kernels.least_squares.reference import new_radius
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> step = Outlook(*[one] * 5, singular=one < 0, cosine=one, terms=one)
    >>> new_radius(4 * one, 3 * one, step, one, damped=True)
    tensor([2.], dtype=torch.float64)
    """
    ratio = torch.where(step.predicted > 0, actual / step.predicted, 0)
    slope = step.square + step.damping * step.length.square()
    parabola = torch.where(actual >= 0, 0.5, 0.5 * slope / (slope - 0.5 * actual))
    far_worse = ~(actual > -99 * rss)
    factor = torch.where(far_worse | ~(parabola >= 0.1), 0.1, parabola)
    shrunk = factor * torch.minimum(radius, 10 * step.length)
    grown = torch.where((ratio >= 0.75) | (step.damping == 0), 2 * step.length, radius)
    new = torch.where(ratio > 0.25, grown, shrunk)
    return new if damped else torch.where(actual > 0, torch.inf, new)


def _where(runs: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` in these runs [R], else `no`."""
    return torch.where(runs.view(-1, *[1] * (yes.dim() - 1)), yes, no)
