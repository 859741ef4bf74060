"""What the tests of least squares share: made-up problems, and fits from start to end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from scipy.optimize import curve_fit, least_squares
from torch import Tensor

from packtrain.kernels.expression.reference import jacobian, predict
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.least_squares import CONVERGED, Problem, Rules, Status, TorchSolver, Trials
from packtrain.kernels.least_squares.numba_solver import NumbaSolver

INF = torch.inf
TRIED = ("rss", "gradient", "damping", "parameters")  # what Trials hold of each trial step
Backend = type[TorchSolver] | type[NumbaSolver]


@dataclass(frozen=True)
class Kind:
    """An equation, the parameters that made its data, where a fit starts, and the range of x."""

    text: str
    truth: tuple[float, ...]
    start: tuple[float, ...]
    low: float
    high: float
    noise: float = 0.02

    @property
    def graph(self) -> Graph:
        return parse(self.text)


KINDS = {
    "exponential decay": Kind("xy = a*exp(-k*x)", (2.5, 1.3), (1, 1), 0, 4),
    "saturating exponential": Kind("xy = a*(1 - exp(-b*x))", (240, 0.55), (100, 0.1), 0.1, 10, 2),
    "rational": Kind("xy = (a + b*x)/(1 + c*x)", (1, 2, 0.5), (0.5, 1, 0.2), 0, 5),
    "gaussian peak": Kind(
        "xy = h*exp(-((x - m)/s)^2) + b + c*x", (3, 1.2, 0.4, 0.5, 0.1), (2, 1, 0.6, 0, 0), 0, 3
    ),
    "logistic": Kind("xy = top/(1 + exp(-(x - m)/s))", (5, 2, 0.6), (4, 1.5, 1), 0, 5),
    "power law": Kind("xy = a*x^n", (1.5, 1.7), (1, 1), 0.2, 4),
    "sine": Kind("xy = a*sin(w*x + f) + c", (2, 3.1, 0.4, 0.5), (1.5, 3, 0.2, 0), 0, 6),
    "double exponential": Kind("xy = a*exp(-b*x) + c*exp(-d*x)", (3, 0.5, 2, 4), (2, 0.3, 1, 3), 0, 5, 0.005),
    "Michaelis-Menten": Kind("xy = v*x/(k + x)", (4, 1.5), (2, 1), 0.1, 8),
    "Lorentzian": Kind("xy = h/(1 + ((x - m)/g)^2) + b", (3, 1.4, 0.3, 0.2), (2, 1.2, 0.5, 0), 0, 3),
    "Arrhenius": Kind("xy = a*exp(-k/x)", (1e6, 3000), (5e5, 2800), 250, 400, 2),
    "damped oscillation": Kind("xy = a*exp(-d*x)*cos(w*x + f)", (2, 0.4, 4, 0.3), (1.5, 0.3, 3.8, 0), 0, 6),
}


def samples(kind: Kind, runs: int, count: int = 60, seed: int = 1) -> Problem:
    """Inputs [N, 1] and noisy targets [R, N, T], each run's own."""
    rng = np.random.default_rng(seed)
    inputs = torch.linspace(kind.low, kind.high, count, dtype=torch.float64)[:, None]
    clean = predict(kind.graph, tensor([kind.truth]), inputs)
    noise = rng.normal(0, kind.noise, (runs, count, len(kind.graph.outputs)))
    return Problem(inputs, clean + torch.from_numpy(noise))


def starts(kind: Kind, runs: int) -> Tensor:
    """`runs` starts [R, P], each a little further from the kind's own."""
    away = 1 + 0.02 * torch.arange(runs, dtype=torch.float64)
    return tensor([kind.start]) * away[:, None]


def far_away(kind: Kind, name: str, runs: int, by: float = 1.7e9) -> tuple[Problem, Tensor, Rules, Problem]:
    """A problem whose x and whose fixed parameter `name`, a place on x, are `by` further: a clock's seconds.

    The problem, its starts and rules, and the same problem where both are near, which has the same fits.
    """
    place = kind.graph.parameters.index(name)
    problem = samples(kind, runs)
    far = problem.inputs - kind.truth[place] + by
    near = Problem(far - by + kind.truth[place], problem.targets)
    start = starts(kind, runs)
    start[:, place] = by
    given = rules(problem, start)
    given.free[:, place] = False
    return Problem(far, problem.targets), start, given, near


def weights(*shape: int, seed: int = 2) -> Tensor:
    """Weights from 0.2 to 3."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.2, 3, shape))


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def rules(problem: Problem, start: Tensor, tolerance: float = 1e-14, steps: int = 200) -> Rules:
    """The rules of free fits from `start` [R, P]."""
    return Rules.unbounded(problem, start, tolerance, steps=steps)


def bounded(given: Rules, lower: object = -INF, upper: object = INF) -> Rules:
    """`given` with bounds that broadcast to [R, P]."""
    shape = given.lower.shape
    return replace(
        given, lower=tensor(lower).expand(shape).clone(), upper=tensor(upper).expand(shape).clone()
    )


@dataclass(frozen=True)
class Fitted:
    """What R fits came to, and their trial steps."""

    parameters: Tensor
    status: Tensor
    steps_done: Tensor
    trials: Trials

    @property
    def rss(self) -> Tensor:
        """|e|^2 before each fit's last trial step: [R]."""
        last = (self.steps_done - 1).clamp(min=0)
        return self.trials.rss.gather(0, last[None])[0]

    @property
    def converged(self) -> bool:
        return all(Status(int(status)) in CONVERGED for status in self.status)


def make(
    backend: Backend, graph: Graph, problem: Problem, start: Tensor, given: Rules, damped: bool
) -> TorchSolver | NumbaSolver:
    """The fits of `graph`, before their first step; `start` is left alone."""
    if backend is NumbaSolver:
        return NumbaSolver(graph, problem, start.clone(), given, damped)
    return TorchSolver(partial(jacobian, graph), problem, start.clone(), given, damped)


def fit(
    graph: Graph,
    problem: Problem,
    start: Tensor,
    given: Rules | None = None,
    damped: bool = True,
    backend: Backend = TorchSolver,
    slices: tuple[int, ...] = (200,),
) -> Fitted:
    """The fits of `graph` from `start`, advanced by `slices` of trial steps."""
    fits = make(backend, graph, problem, start, given or rules(problem, start), damped)
    trials = joined([fits.advance(count) for count in slices], len(start))
    return Fitted(fits.parameters.clone(), fits.status.clone(), fits.steps_done.clone(), trials)


def joined(parts: Sequence[Trials], runs: int) -> Trials:
    """Slices of trial steps, one after another, of all R fits: NaN where a fit was not advanced."""

    def all_runs(part: Trials, name: str) -> Tensor:
        value = getattr(part, name)
        found = value.new_full((len(value), runs, *value.shape[2:]), torch.nan)
        found[:, part.runs] = value
        return found

    joint = {name: torch.cat([all_runs(part, name) for part in parts]) for name in TRIED}
    return Trials(torch.arange(runs), **joint)


def residuals(graph: Graph, problem: Problem, run: int) -> Callable[[Tensor], Tensor]:
    """p [P] -> sqrt(w) (y - t) of one run, [N T], by `predict`: no part of least_squares or the Jacobian."""
    own = problem.of(torch.tensor([run]))

    def residual(parameters: Tensor) -> Tensor:
        errors = predict(graph, parameters[None], own.inputs) - own.targets
        if own.weights is not None:
            errors = own.weights.sqrt()[..., None] * errors
        return errors.flatten()

    return residual


def _slopes(of: Callable[[Tensor], Tensor], at: Tensor) -> np.ndarray:
    found = torch.autograd.functional.jacobian(of, at)
    assert isinstance(found, Tensor)
    return found.numpy()


def by_scipy(
    graph: Graph, problem: Problem, start: Tensor, lower: object = None, upper: object = None
) -> Tensor:
    """Each run's best parameters by scipy, its Jacobian by torch's autograd: `trf` where there are bounds."""
    found = []
    for run, first in enumerate(start):
        residual = residuals(graph, problem, run)

        def value(p: np.ndarray, of: Callable[[Tensor], Tensor] = residual) -> np.ndarray:
            return of(torch.from_numpy(p)).numpy()

        def slope(p: np.ndarray, of: Callable[[Tensor], Tensor] = residual) -> np.ndarray:
            return _slopes(of, torch.from_numpy(p))

        bounds = (-np.inf, np.inf) if lower is None else (np.asarray(lower), np.asarray(upper))
        ended = least_squares(
            value,
            first.numpy(),
            slope,  # pyright: ignore[reportArgumentType] (a function is allowed)
            bounds,
            "lm" if lower is None else "trf",
            1e-15,
            1e-15,
            1e-15,
            x_scale="jac",
            max_nfev=5000,
        )
        found.append(torch.from_numpy(ended.x))
    return torch.stack(found)


def by_curve_fit(graph: Graph, problem: Problem, start: Tensor) -> Tensor:
    """Each run's best parameters by scipy's curve_fit: one output, sigma = 1/sqrt(w)."""
    found = []
    for run, first in enumerate(start):
        own = problem.of(torch.tensor([run]))

        def value(x: np.ndarray, *p: float) -> np.ndarray:
            return predict(graph, tensor([p]), torch.from_numpy(x)[:, None]).numpy().flatten()

        def slope(x: np.ndarray, *p: float) -> np.ndarray:
            def at(q: Tensor) -> Tensor:
                return predict(graph, q[None], torch.from_numpy(x)[:, None]).flatten()

            return _slopes(at, tensor(p))

        sigma = None if own.weights is None else own.weights.rsqrt().flatten().numpy()
        best, _ = curve_fit(
            value,
            own.inputs.flatten().numpy(),
            own.targets.flatten().numpy(),
            first.numpy(),
            sigma,
            method="lm",
            jac=slope,
            ftol=1e-14,
            xtol=1e-14,
            gtol=1e-14,
            maxfev=5000,
        )
        found.append(torch.from_numpy(best))
    return torch.stack(found)


def assert_near(actual: Tensor, expected: Tensor, relative: float) -> None:
    """`actual` is `expected`, within `relative` of it and of next to nothing else."""
    torch.testing.assert_close(actual.double(), expected.double(), rtol=relative, atol=1e-3 * relative)
