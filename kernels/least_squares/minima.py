"""Minima of R fits, and fits from there with some parameters held: what profiles are made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .inference import infer, sum_of_rows
from .method import Status
from .problem import Linear, Problem, Rules, Solver

# (problem, parameters [K, P], rules) -> their fits; the parameters' memory is the solver's
Fitter = Callable[[Problem, Tensor, Rules], Solver]

ADVANCE = 64  # trial steps of one call of a solver


@dataclass(frozen=True)
class Minima:
    """R fits at their minima: `parameters` [R, P], their `rss` [R] and `covariance` [R, P, P], in float64.

    `rank` [R] is how many directions the data determine, and `variance` [R] that of residuals, rss / (count -
    rank), or 1 where errors are known. `problem` and `rules` are theirs, and `fitter` makes fits under them.
    """

    fitter: Fitter
    problem: Problem
    rules: Rules
    parameters: Tensor
    rss: Tensor
    covariance: Tensor
    variance: Tensor
    rank: Tensor

    @property
    def stderr(self) -> Tensor:
        """The parameters' standard errors, [R, P]."""
        return self.covariance.diagonal(dim1=1, dim2=2).sqrt()


def minima_near(
    fitter: Fitter, problem: Problem, parameters: Tensor, rules: Rules, count: Tensor | None
) -> Minima:
    """The minima near `parameters` [R, P] in float64, of fits to `count` [R] residuals, None of known errors.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
    >>> from packtrain.kernels.least_squares.minima import minima_near
    >>> def fitter(problem, start, rules):  # of y = p
    ...     model = lambda p, x: (p[:, None] + 0 * x, torch.ones(len(p), len(x), 1, 1).double())
    ...     return TorchSolver(model, problem, start, rules, damped=True)
    >>> targets, start = torch.tensor([[1.0], [2.0], [6.0]]).double(), torch.ones(1, 1).double()
    >>> problem = Problem(0 * targets, targets)
    >>> rules = Rules.unbounded(problem, start, tolerance=1e-14)
    >>> minima = minima_near(fitter, problem, start, rules, count=torch.tensor([3]))
    >>> minima.parameters.round(decimals=6).tolist(), minima.stderr.round(decimals=6).tolist()
    ([[3.0]], [[1.527525]])
    """
    solver = _solved(fitter(problem, parameters.clone(), rules))
    linear = _linear(solver)
    inside = (solver.parameters > rules.lower) & (solver.parameters < rules.upper)
    inference = infer(linear.root.cpu(), (rules.free & inside).cpu())
    rank, unscaled = inference.rank.to(parameters.device), inference.unscaled.to(parameters.device)
    variance = torch.ones_like(linear.rss) if count is None else linear.rss / (count - rank)
    covariance = variance[:, None, None] * unscaled
    return Minima(fitter, problem, rules, solver.parameters, linear.rss, covariance, variance, rank)


def _solved(solver: Solver) -> Solver:
    while bool((solver.status == Status.RUNNING).any()):
        solver.advance(ADVANCE)
    return solver


def _linear(solver: Solver) -> Linear:
    """The linear problems of all fits at their ends."""
    parts = list(solver.solutions())
    order = torch.cat([runs for runs, _ in parts]).argsort()
    return Linear(*(torch.cat(columns)[order] for columns in zip(*(part for _, part in parts), strict=True)))


@dataclass(frozen=True)
class Held:
    """K fits with some parameters held: `parameters` [K, P], the `rise` [K] and its `slope` [K, P] by them.

    `status` [K] is a Status. The rise is infinite where something isn't finite.
    """

    parameters: Tensor
    rise: Tensor
    slope: Tensor
    status: Tensor


def hold(minima: Minima, runs: Tensor, held: Tensor, start: Tensor) -> Held:
    """Fits again from `start` [K, P] those of `runs` [K] with the parameters `held` [K, P] where they start.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
    >>> from packtrain.kernels.least_squares.minima import hold, minima_near
    >>> def fitter(problem, start, rules):  # of y = a + b x
    ...     jacobian = torch.cat([problem.inputs**0, problem.inputs], -1)[:, None]
    ...     outputs = lambda p: (jacobian @ p[:, None, :, None])[..., 0]
    ...     model = lambda p, x: (outputs(p), jacobian.expand(len(p), -1, -1, -1))
    ...     return TorchSolver(model, problem, start, rules, damped=True)
    >>> x, start = torch.arange(3.0)[:, None].double(), torch.zeros(1, 2).double()
    >>> problem = Problem(x, torch.tensor([[0.0], [1.0], [0.0]]).double())
    >>> rules = Rules.unbounded(problem, start, tolerance=1e-14)
    >>> minima = minima_near(fitter, problem, start, rules, count=torch.tensor([3]))
    >>> b, start = torch.tensor([[False, True]]), torch.tensor([[0.0, 1.0]]).double()
    >>> fit = hold(minima, torch.tensor([0]), b, start)  # b = 1
    >>> [round(part.item(), 6) for part in (fit.parameters[0, 0], fit.rise)]
    [-0.666667, 3.0]
    """
    problem, rules = minima.problem.of(runs), minima.rules.of(runs)
    solver = _solved(minima.fitter(problem, start.clone(), replace(rules, free=rules.free & ~held)))
    linear, variance = _linear(solver), minima.variance[runs]
    rise = (linear.rss - minima.rss[runs]) / variance
    rise = rise.masked_fill(~linear.rss.isfinite() | (solver.status == Status.NOT_FINITE), torch.inf)
    slope = 2 * sum_of_rows(linear.projected[..., None] * linear.root) / variance[:, None]
    return Held(solver.parameters, rise, slope, solver.status)
