"""Profile likelihood: how far a parameter may go, the others fitted again, until the fit is worse.

With a parameter held at a value and the others fitted, |e|^2 is more than at the minimum by its `rise`, in
units of the residual variance: Student's t squared where the model is linear, and close to it where it isn't.
So an interval ends where the rise is the square of a quantile of t. Bates and Watts, "Nonlinear Regression
Analysis and Its Applications" (1988), chapter 6. All ends of all fits are sought at once, each step one pack
of fits.
"""

from dataclasses import dataclass, fields
from enum import IntEnum

import torch
from torch import Tensor

from .method import CONVERGED
from .minima import Held, Minima, hold
from .problem import of_runs

STEPS = 60  # trial values of one end
NEWTON = 15  # of them: Newton's, before bisection takes their place
GROWTH = 4.0  # the next trial is at most so many times as far
FARTHEST = 1000.0  # standard errors: an end beyond counts as open
NEAR = 1e-7  # of the quantile: how closely the root of the rise has to meet it
NARROW = 1e-9  # of the distance: two values as close as this are one end
LOWER = 1e-3  # of the quantile's square: a fall of |e|^2 by more is another minimum


class End(IntEnum):
    """How the search for one end of an interval ended."""

    SOUGHT = 0
    CROSSED = 1  # the rise is the quantile's square there
    BOUND = 2  # at the parameter's bound the rise is still less
    OPEN = 3  # it is less FARTHEST standard errors away, or after all steps
    WALL = 4  # a residual or a derivative isn't finite beyond
    LOWER = 5  # |e|^2 is less there than at the minimum, which so is another's
    UNSOLVED = 6  # the others' fit didn't converge there


@dataclass(frozen=True)
class Ends:
    """K ends of intervals: `value` [K], NaN where `end` [K] isn't End.CROSSED, and `last` [K], the last value
    that was tried with a rise that is not too much."""

    value: Tensor
    end: Tensor
    last: Tensor


def find_ends(minima: Minima, runs: Tensor, parameter: Tensor, side: Tensor, quantile: Tensor) -> Ends:
    """Where the root of the rise meets `quantile` [K], on one `side` [K] (1 or -1) of a `parameter` [K] each.

    `runs` [K] says which fit's. The first trial is the end of the linear model, the next ones are Newton's,
    kept between those known to be too near and too far; each starts where the last two fits lead. What comes
    of one end does not depend on the others.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
    >>> from packtrain.kernels.least_squares.minima import minima_near
    >>> from packtrain.kernels.least_squares.profile import find_ends
    >>> def fitter(problem, start, rules):  # of y = p
    ...     model = lambda p, x: (p[:, None] + 0 * x, torch.ones(len(p), len(x), 1, 1).double())
    ...     return TorchSolver(model, problem, start, rules, damped=True)
    >>> targets, start = torch.tensor([[1.0], [2.0], [6.0]]).double(), torch.ones(1, 1).double()
    >>> problem = Problem(0 * targets, targets)
    >>> rules = Rules.unbounded(problem, start, tolerance=1e-14)
    >>> minima = minima_near(fitter, problem, start, rules, count=torch.tensor([3]))
    >>> both, sides = torch.tensor([0, 0]), torch.tensor([-1, 1])
    >>> ends = find_ends(minima, both, both, sides, quantile=torch.tensor([2.0, 2.0]).double())
    >>> ends.value.round(decimals=6).tolist()  # 3 -+ 2 standard errors, of a linear model
    [-0.05505, 6.05505]
    """
    search = Search.start(minima, runs, parameter, side, quantile)
    for step in range(STEPS):
        sought = (search.end == End.SOUGHT).nonzero()[:, 0]
        if not len(sought):
            break
        part = of_runs(search, sought)
        _try(part, minima, newton=step < NEWTON)
        search.put(sought, part)
    crossed = search.end == End.CROSSED
    place = minima.parameters[runs, parameter]
    value = place + side * search.unit * search.trial
    last = place + side * search.unit * search.low
    return Ends(value.masked_fill(~crossed, torch.nan), search.end.where(search.end > 0, End.OPEN), last)


@dataclass
class Search:
    """K ends that are sought, by distances from the minimum in standard errors, `unit` [K].

    `trial` [K] is tried next; at `low` the root of the rise is less than `quantile`, with the parameters
    `near` [K, P], which change by `direction` [K, P] a unit; at `high`, if finite, it is more, or is
    infinite where `wall`. Nothing is tried beyond `limit`, which `bounded` says is a bound.
    """

    runs: Tensor
    parameter: Tensor
    side: Tensor
    unit: Tensor
    quantile: Tensor
    limit: Tensor
    bounded: Tensor
    trial: Tensor
    low: Tensor
    high: Tensor
    wall: Tensor
    near: Tensor
    direction: Tensor
    end: Tensor

    @classmethod
    def start(
        cls, minima: Minima, runs: Tensor, parameter: Tensor, side: Tensor, quantile: Tensor
    ) -> "Search":
        """Before the first trial, which is the linear model's end."""
        side = side.to(quantile.dtype)
        unit = minima.stderr[runs, parameter]
        bounds = torch.where(
            side > 0, minima.rules.upper[runs, parameter], minima.rules.lower[runs, parameter]
        )
        room = (bounds - minima.parameters[runs, parameter]) * side / unit
        limit = room.clamp(max=FARTHEST)
        return cls(
            runs=runs,
            parameter=parameter,
            side=side,
            unit=unit,
            quantile=quantile,
            limit=limit,
            bounded=room <= FARTHEST,
            trial=torch.minimum(quantile, limit),
            low=torch.zeros_like(unit),
            high=torch.full_like(unit, torch.inf),
            wall=torch.zeros_like(runs, dtype=torch.bool),
            near=minima.parameters[runs],
            direction=minima.covariance[runs, parameter] * (side / unit)[:, None],
            end=torch.full_like(runs, End.SOUGHT),
        )

    def put(self, places: Tensor, part: "Search") -> None:
        """Writes what changes in `part` back to where `places` stand."""
        for name in ("trial", "low", "high", "wall", "near", "direction", "end"):
            getattr(self, name)[places] = getattr(part, name)

    def walk(self, fit: Held, far: Tensor) -> None:
        """Where the next fits start: at the fits of the trial values, unless these are too `far` [K]."""
        direction = (fit.parameters - self.near) / (self.trial - self.low)[:, None]
        self.direction = torch.where(fit.rise.isinf()[:, None], self.direction, direction)
        self.near = torch.where(far[:, None], self.near, fit.parameters)


def _try(search: Search, minima: Minima, newton: bool) -> None:
    """Fits at each trial value, moves `low` or `high` there, and says where the search ends or goes on."""
    fit = fit_at_trials(search, minima)
    own = search.parameter[:, None]
    root = fit.rise.clamp(min=0).sqrt()
    slope = fit.slope.gather(1, own)[:, 0] * search.side * search.unit / (2 * root)
    far, walled = root >= search.quantile, fit.rise.isinf()
    converged = torch.isin(fit.status, torch.tensor(CONVERGED, device=fit.status.device))

    search.walk(fit, far)
    search.low, search.high = (
        torch.where(far, search.low, search.trial),
        torch.where(far, search.trial, search.high),
    )
    search.wall = torch.where(far, walled, search.wall)

    met = (root - search.quantile).abs() <= NEAR * search.quantile
    narrow = search.high.isfinite() & (search.high - search.low <= NARROW * search.high)
    at_limit = ~far & (search.trial >= search.limit)
    search.end = _first(
        (fit.rise < -LOWER * search.quantile.square(), End.LOWER),
        ((met | (narrow & ~search.wall)) & converged, End.CROSSED),
        (met | (narrow & ~search.wall), End.UNSOLVED),
        (narrow, End.WALL),
        (at_limit & search.bounded, End.BOUND),
        (at_limit, End.OPEN),
    )
    going_on = search.end == End.SOUGHT
    search.trial = torch.where(going_on, _next(search, root, slope, newton), search.trial)


def fit_at_trials(search: Search, minima: Minima) -> Held:
    """The fits at the trial values, from where the last two lead; from the nearest where that isn't finite.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
    >>> from packtrain.kernels.least_squares.minima import minima_near
    >>> from packtrain.kernels.least_squares.profile import Search, fit_at_trials
    >>> def fitter(problem, start, rules):  # of y = p
    ...     model = lambda p, x: (p[:, None] + 0 * x, torch.ones(len(p), len(x), 1, 1).double())
    ...     return TorchSolver(model, problem, start, rules, damped=True)
    >>> targets, start = torch.tensor([[1.0], [2.0], [6.0]]).double(), torch.ones(1, 1).double()
    >>> problem = Problem(0 * targets, targets)
    >>> rules = Rules.unbounded(problem, start, tolerance=1e-14)
    >>> minima = minima_near(fitter, problem, start, rules, count=torch.tensor([3]))
    >>> run, right, two = torch.tensor([0]), torch.tensor([1]), torch.tensor([2.0]).double()
    >>> fit = fit_at_trials(Search.start(minima, run, run, right, two), minima)
    >>> round(fit.rise.item(), 6)  # of a linear model, 2 standard errors away
    4.0
    """
    held = torch.zeros_like(search.near, dtype=torch.bool).scatter(1, search.parameter[:, None], True)
    place = minima.parameters[search.runs, search.parameter]
    value = (place + search.side * search.unit * search.trial)[:, None]
    lower, upper = minima.rules.lower[search.runs], minima.rules.upper[search.runs]
    free = minima.rules.free[search.runs]

    def fit(places: Tensor, direction: Tensor) -> Held:
        ahead = search.near + direction * (search.trial - search.low)[:, None]
        start = torch.where(free, torch.minimum(torch.maximum(ahead, lower), upper), search.near)
        start = torch.where(held, torch.minimum(torch.maximum(value, lower), upper), start)[places]
        return hold(minima, search.runs[places], held[places], start)

    first = fit(torch.arange(len(held), device=held.device), search.direction)
    again = first.rise.isinf().nonzero()[:, 0]
    if len(again):
        second = fit(again, torch.zeros_like(search.direction))
        for field in fields(Held):
            getattr(first, field.name)[again] = getattr(second, field.name)
    return first


def _next(search: Search, root: Tensor, slope: Tensor, newton: bool) -> Tensor:
    """The next trial: Newton's where it lies between the known sides, else their middle, or farther out."""
    guess = search.trial + (search.quantile - root) / slope
    if not newton:
        guess = torch.full_like(guess, torch.nan)
    farther = torch.where(guess > search.trial, guess, torch.inf)
    farther = torch.minimum(torch.minimum(farther, GROWTH * search.trial), search.limit)
    between = (guess > search.low) & (guess < search.high)
    middle = (search.low + search.high) / 2
    return torch.where(search.high.isinf(), farther, torch.where(between, guess, middle))


def _first(*cases: tuple[Tensor, End]) -> Tensor:
    """The first case that holds, else SOUGHT."""
    end = torch.full_like(cases[0][0], End.SOUGHT, dtype=torch.int64)
    for holds, value in reversed(cases):
        end = end.masked_fill(holds, value)
    return end
