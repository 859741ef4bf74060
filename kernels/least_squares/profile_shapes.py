"""The shape of profiles, for pictures: over one parameter, and over two."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .minima import Minima, hold
from .profile import Search, fit_at_trials


@dataclass(frozen=True)
class Curves:
    """K profiles at S values each, in rising order: `values` [K, S], the signed `root` [K, S] of the rise.

    A linear model's root is a straight line. `parameters` [K, S, P] are those of the fits there; NaN, as the
    root, where something isn't finite.
    """

    values: Tensor
    root: Tensor
    parameters: Tensor


def curves(
    minima: Minima, runs: Tensor, parameter: Tensor, low: Tensor, high: Tensor, points: int = 12
) -> Curves:
    """The profiles of a `parameter` [K] of `runs` [K] each, at `points` values on each side of the minimum.

    They go from `low` [K] to `high` [K] in even steps on either side, a pack of fits each, but not beyond a
    bound. S is 2 `points` + 1.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
    >>> from packtrain.kernels.least_squares.minima import minima_near
    >>> from packtrain.kernels.least_squares.profile_shapes import curves
    >>> def fitter(problem, start, rules):  # of y = p
    ...     model = lambda p, x: (p[:, None] + 0 * x, torch.ones(len(p), len(x), 1, 1).double())
    ...     return TorchSolver(model, problem, start, rules, damped=True)
    >>> targets, start = torch.tensor([[1.0], [3.0]]).double(), torch.ones(1, 1).double()
    >>> problem = Problem(0 * targets, targets)
    >>> rules = Rules.unbounded(problem, start, tolerance=1e-14)
    >>> minima = minima_near(fitter, problem, start, rules, count=torch.tensor([2]))
    >>> run = torch.tensor([0])
    >>> profile = curves(minima, run, run, torch.zeros(1).double(), torch.ones(1).double() * 4, points=2)
    >>> profile.values.tolist(), profile.root.round(decimals=6).tolist()  # the standard error is 1
    ([[0.0, 1.0, 2.0, 3.0, 4.0]], [[-2.0, -1.0, 0.0, 1.0, 2.0]])
    """
    place = minima.parameters[runs, parameter]
    sides = [
        _side(minima, runs, parameter, sign * torch.ones_like(runs), (end - place).abs(), points)
        for sign, end in ((-1, low), (1, high))
    ]
    middle = place[:, None], torch.zeros_like(place)[:, None], minima.parameters[runs][:, None]
    left, right = sides
    parts = zip((part.flip(1) for part in left), middle, right, strict=True)
    return Curves(*(torch.cat(part, 1) for part in parts))


def _side(
    minima: Minima, runs: Tensor, parameter: Tensor, side: Tensor, reach: Tensor, points: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Values [K, S], signed roots [K, S] and parameters [K, S, P], from near the minimum outwards."""
    search = Search.start(minima, runs, parameter, side, reach / minima.stderr[runs, parameter])
    place, farthest = minima.parameters[runs, parameter], search.trial
    values, roots, fitted = [], [], []
    for point in range(1, points + 1):
        search.trial = farthest * (point / points)
        fit = fit_at_trials(search, minima)
        walled = fit.rise.isinf()
        search.walk(fit, walled)
        search.low = torch.where(walled, search.low, search.trial)
        values.append(place + search.side * search.unit * search.trial)
        roots.append((search.side * fit.rise.clamp(min=0).sqrt()).masked_fill(walled, torch.nan))
        fitted.append(fit.parameters.masked_fill(walled[:, None], torch.nan))
    return torch.stack(values, 1), torch.stack(roots, 1), torch.stack(fitted, 1)


def plane(minima: Minima, run: int, pair: tuple[int, int], first: Tensor, second: Tensor) -> Tensor:
    """The rise of a run's fit with two parameters held at `first` [S] x `second` [M], a pack of fits: [M, S].

    Where it is 2 F, F the quantile of the F distribution of 2 and n - k degrees of freedom, lies the region
    of confidence of both. NaN where something isn't finite, or beyond a bound.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.least_squares import Problem, Rules
    >>> from packtrain.kernels.least_squares.numba_solver import NumbaSolver
    >>> from packtrain.kernels.least_squares.minima import minima_near
    >>> from packtrain.kernels.least_squares.profile_shapes import plane
    >>> x, targets = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[1.0], [3.0]]).double()
    >>> problem, start = Problem(x, targets), torch.ones(1, 2).double()
    >>> fitter = lambda *given: NumbaSolver(parse("xy = a + b*x"), *given, damped=True)
    >>> minima = minima_near(fitter, problem, start, Rules.unbounded(problem, start), count=None)
    >>> plane(minima, 0, (0, 1), torch.tensor([1.0, 2.0]), torch.tensor([2.0])).round(decimals=6) + 0
    tensor([[0., 2.]], dtype=torch.float64)
    """
    best, covariance = minima.parameters[run], minima.covariance[run]
    places = list(pair)
    grid = torch.stack(torch.meshgrid(first, second, indexing="xy"), -1).flatten(0, 1).to(best)
    runs = torch.full((len(grid),), run, device=best.device)
    held = torch.zeros(len(grid), len(best), dtype=torch.bool, device=best.device)
    held[:, places] = True
    along = torch.linalg.solve(covariance[places][:, places], covariance[places])
    lower, upper, free = (part[run] for part in (minima.rules.lower, minima.rules.upper, minima.rules.free))

    def rise(points: Tensor, ahead: Tensor) -> Tensor:
        start = torch.where(free, torch.minimum(torch.maximum(best + ahead, lower), upper), best)
        start[:, places] = grid[points]
        return hold(minima, runs[points], held[points], start).rise

    away = (grid - best[places]) @ along
    found = rise(torch.arange(len(grid), device=best.device), away)
    again = found.isinf().nonzero()[:, 0]
    if len(again):
        found[again] = rise(again, torch.zeros_like(away[again]))
    outside = ((grid < lower[places]) | (grid > upper[places])).any(1)
    return found.masked_fill(found.isinf() | outside, torch.nan).view(len(second), len(first))
