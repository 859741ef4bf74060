"""The definition: one iteration of R least-squares fits in eager torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from .algebra import column_norms, damped_step, norm_of, shortened_step, solve, sum_of, times
from .linearize import Linear
from .method import COARSE, DETERMINED, FADED, FAR, LEAST_REACH, ROUNDINGS, SMALL, Status
from .problem import Rules, of_runs


@dataclass
class Fits:
    """Where R fits stand: parameters [R, P], their Linear problem, and what the method remembers.

    `scale` [R, P] is the largest norm so far of each column of the Jacobian; `radius` [R] bounds the
    scaled step, `damping` [R] is the one that kept the last step within it; `status` [R] a Status.
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
        free = free_to_move(parameters, times(linear.projected, linear.root), rules)
        scale = column_norms(linear.root * free[:, None])
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
        for each in fields(self):
            getattr(self, each.name)[runs] = getattr(part, each.name)

    @property
    def gradient(self) -> Tensor:
        """J^T e, half the gradient of the sum of squares: [R, P]."""
        return times(self.projected, self.root)


def iterate(fits: Fits, rules: Rules, damped: bool, evaluate: Callable[[Tensor], Linear]) -> Fits:
    """One trial step of each running fit: taken where it lowers the sum of squares; criteria judged.

    `evaluate` linearizes at trial parameters [R, P]. `damped`: Levenberg-Marquardt, else Gauss-Newton.
    """
    step = _propose(fits, rules, damped)
    there = evaluate(step.trial)
    gained = fits.rss - there.rss
    radius = _new_radius(fits, step, gained)
    if not damped:
        radius = torch.where(gained > 0, torch.inf, radius)
    status = _judge(fits, rules, step, there.rss, radius)
    running = fits.status == Status.RUNNING
    takes = running & (gained > 0) & (status != Status.GRADIENT)
    return Fits(
        parameters=_where(takes, step.trial, fits.parameters),
        rss=_where(takes, there.rss, fits.rss),
        root=_where(takes, there.root, fits.root),
        projected=_where(takes, there.projected, fits.projected),
        scale=_where(running, step.scale, fits.scale),
        radius=_where(running, radius, fits.radius),
        damping=_where(running, step.damping, fits.damping),
        status=_where(running, status, fits.status),
    )


@dataclass(frozen=True)
class Step:
    """What R fits try: `trial` [R, P], within the bounds, and what the linear problem says of it.

    `change` [R, P] is A s, and the sum of squares is `predicted` [R] to fall; `length` and `reach` [R]
    are |s| and |p| in units of `scale` [R, P]; `cosine` [R] is the largest between e and a column of J,
    times |e|, those columns apart that have vanished; `live` [R, P] are the free ones that have not, with
    norms `norm` [R, P]; `singular` [R] says that no step is determined.
    """

    trial: Tensor
    change: Tensor
    predicted: Tensor
    length: Tensor
    reach: Tensor
    damping: Tensor
    singular: Tensor
    cosine: Tensor
    live: Tensor
    norm: Tensor
    scale: Tensor


def _propose(fits: Fits, rules: Rules, damped: bool) -> Step:
    """The step within the trust radius; a parameter at a bound that would leave it is held there."""
    old, slope = fits.parameters.double(), fits.gradient
    free = free_to_move(old, slope, rules)
    root = fits.root * free[:, None]
    norm = column_norms(root)
    scale = torch.maximum(fits.scale, norm)
    weight = torch.where(scale > 0, scale, 1)
    cut = damped_step if damped else shortened_step
    step, damping, singular = cut(root, fits.projected, ~free, weight, fits.radius, fits.damping)
    trial = torch.where(free, torch.clamp(old + step, rules.lower, rules.upper), old).to(
        fits.parameters.dtype
    )
    step = trial - old
    change = (root @ step[..., None])[..., 0]
    rounding = rounding_of(fits.rss, rules.size, fits.parameters.dtype)
    live = (norm > 0) & ~vanished(norm, slope, old, scale, rounding)
    return Step(
        trial,
        change,
        predicted=-sum_of(change * (change + 2 * fits.projected)),
        length=norm_of(weight * step),
        reach=norm_of(scale * old),
        damping=damping,
        singular=singular,
        cosine=torch.where(live, slope.abs() / norm, 0).amax(1),
        live=live,
        norm=norm,
        scale=scale,
    )


def rounding_of(rss: Tensor, size: Tensor, dtype: torch.dtype) -> Tensor:
    """How finely sums of squares [R] are known, of residuals of outputs of norm `size` [R]."""
    return torch.finfo(dtype).eps * (ROUNDINGS * rss.sqrt() * size + rss)


def vanished(norm: Tensor, slope: Tensor, parameters: Tensor, scale: Tensor, rounding: Tensor) -> Tensor:
    """Columns of J [R, P] that have shrunk so that the parameter's whole value gains no more than rounding.

    At a minimum where a derivative vanishes, as by k of k^2 at k = 0, the column's direction says nothing.
    """
    return (norm <= FADED * scale) & ((slope * parameters).abs() <= FAR * rounding[:, None])


def free_to_move(parameters: Tensor, slope: Tensor, rules: Rules) -> Tensor:
    """Which parameters may move: not those at a bound that the descent would cross."""
    leaves_low = (parameters <= rules.lower) & (slope > 0)
    leaves_high = (parameters >= rules.upper) & (slope < 0)
    return rules.moves & ~(leaves_low | leaves_high)


def _new_radius(fits: Fits, step: Step, gained: Tensor) -> Tensor:
    """A quarter or less of what was promised: shrink, to the minimum of a parabola; most of it: grow.

    A step that a bound has cut may promise a rise; it counts as one that kept nothing.
    """
    ratio = torch.where(step.predicted > 0, gained / step.predicted, 0)
    slack = sum_of(step.change.square()) + step.damping * step.length.square()
    parabola = torch.where(gained >= 0, 0.5, 0.5 * slack / (slack - 0.5 * gained))
    far_worse = ~(gained > -99 * fits.rss)
    factor = torch.where(far_worse | ~(parabola >= 0.1), 0.1, parabola)
    shrunk = factor * torch.minimum(fits.radius, 10 * step.length)
    grown = torch.where((ratio >= 0.75) | (step.damping == 0), 2 * step.length, fits.radius)
    return torch.where(ratio > 0.25, grown, shrunk)


def _judge(fits: Fits, rules: Rules, step: Step, there: Tensor, radius: Tensor) -> Tensor:
    """The Status by the first criterion that holds; `there` is the sum of squares at the trial.

    A fit has converged at a minimum alone, where the linear model promises next to nothing (or no more
    than ftol or gtol ask for): on a wall of refused steps, or on a plateau, steps are short as well.
    """
    gained, predicted, dtype = fits.rss - there, step.predicted, fits.parameters.dtype
    root, better = fits.rss.sqrt(), gained > 0
    least, rounding = rules.ftol * fits.rss, rounding_of(fits.rss, rules.size, dtype)
    is_orthogonal = step.cosine <= rules.gtol * root
    is_cost = (gained.abs() <= least) & (predicted.abs() <= least) & (gained <= 2 * predicted)
    is_rounding = ~better & (predicted.abs() <= rounding)
    short = torch.minimum(radius, step.length) <= rules.xtol * step.reach
    promise = _promise(fits, step, is_orthogonal | is_cost | is_rounding | short)
    far = promise > FAR * (least + rounding)
    small = torch.maximum(FAR * rules.ftol, rules.gtol.square()).clamp(SMALL**2, COARSE**2)
    minimum = promise <= torch.maximum(FAR * rounding, small * fits.rss)
    hidden = promise <= FAR * rounding_of(fits.rss, norm_of(step.norm * fits.parameters), dtype)
    refused = short & ~better
    return _first(
        (is_orthogonal & minimum, Status.GRADIENT),
        (step.singular, Status.SINGULAR),
        (is_cost & minimum & ~far, Status.COST),
        (is_rounding & minimum & ~far, Status.ROUNDING),
        (short & minimum & (there.isfinite() | ~far), Status.STEP),
        (refused & hidden & there.isfinite(), Status.HIDDEN),
        (refused, Status.STUCK),
    )


def _promise(fits: Fits, step: Step, wanted: Tensor) -> Tensor:
    """By how much the linear model would lower |e|^2 at best: [R], infinite where it isn't `wanted`.

    Directions that the data leave open, and columns that have vanished, promise nothing.
    """
    promise = torch.full_like(fits.rss, torch.inf)
    if not bool(wanted.any()):
        return promise
    root, least = fits.root[wanted] * step.live[wanted][:, None], torch.finfo(fits.parameters.dtype).eps
    norm = torch.where(step.live[wanted], step.norm[wanted], 0)
    promise[wanted] = -least_change(root, fits.projected[wanted], norm, least**DETERMINED)
    return promise


def least_change(root: Tensor, projected: Tensor, norm: Tensor, least: float) -> Tensor:
    """Of |A s + c|^2 - |c|^2 by the best s, but for directions smaller than `least`: [R].

    `norm` [R, P] are those of the columns of A, which are left out where that is 0.
    """
    best, _ = solve(root, projected, torch.where(norm > 0, least * norm, 1))
    change = (root @ best[..., None])[..., 0]
    return sum_of(change * (change + 2 * projected))


def _first(*cases: tuple[Tensor, Status]) -> Tensor:
    """The status of the first case that holds, else RUNNING."""
    found = torch.full_like(cases[0][0], Status.RUNNING, dtype=torch.int64)
    for holds, status in reversed(cases):
        found = found.masked_fill(holds, status)
    return found


def _where(runs: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` in these runs [R], else `no`."""
    return torch.where(runs.view(-1, *[1] * (yes.dim() - 1)), yes, no)
