"""Ends of intervals by profile likelihood, against lmfit's conf_interval and scipy."""

from dataclasses import replace
from functools import partial
from typing import Any

import lmfit
import numpy as np
import pytest
import torch
from lmfit import confidence
from scipy.optimize import root_scalar
from scipy.special import stdtrit
from torch import Tensor

from packtrain.kernels.expression.reference import jacobian, predict
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
from packtrain.kernels.least_squares.minima import Fitter, Minima, minima_near
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from packtrain.kernels.least_squares.profile import End, Ends, find_ends
from tests.kernels.least_squares.fits import KINDS, Kind, bounded, rules, samples, tensor, weights

WEIGHTED = "Michaelis-Menten"
STRONGLY_NONLINEAR = Kind("xy = a*exp(-b*x) + c", (2, 0.7, 0.5), (1, 1, 0), 0, 3, 0.15)
TWO = Kind("xy = a*exp(-k*x)\nxz = a*x + c", (2.5, 1.3, 0.4), (1, 1, 0), 0, 4, 0.1)


def numba_fitter(graph: Graph) -> Fitter:
    return lambda problem, start, given: NumbaSolver(graph, problem, start, given, damped=True)


def torch_fitter(graph: Graph) -> Fitter:
    return lambda problem, start, given: TorchSolver(partial(jacobian, graph), problem, start, given, True)


def found(
    graph: Graph,
    problem: Problem,
    start: Tensor,
    given: Rules | None = None,
    fitter: Fitter | None = None,
    level: float = 0.95,
) -> tuple[Minima, Ends]:
    """The minima, and the ends [R P 2] of all parameters' intervals, low and high."""
    count = torch.full((len(start),), problem.rows)
    near = start, given or rules(problem, start), count
    minima = minima_near(fitter or numba_fitter(graph), problem, *near)
    return minima, all_ends(minima, count, level)


def all_ends(minima: Minima, count: Tensor, level: float = 0.95) -> Ends:
    shape = *minima.parameters.shape, 2
    runs, parameter, side = torch.meshgrid(*map(torch.arange, shape), indexing="ij")
    quantile = torch.from_numpy(stdtrit((count - minima.rank).numpy(), (1 + level) / 2))
    items = runs.flatten(), parameter.flatten(), 2 * side.flatten() - 1
    return find_ends(minima, *items, quantile[items[0]])


def by_lmfit(kind: Kind, problem: Problem, run: int, start: Tensor, level: float) -> list[list[float]]:
    """[low, high] of each parameter by lmfit, whose root finder's tolerance is made a strict one."""
    own, names = problem.of(torch.tensor([run])), kind.graph.parameters

    def residual(parameters: lmfit.Parameters) -> np.ndarray:
        p = tensor([[parameters[name].value for name in names]])
        errors = predict(kind.graph, p, own.inputs) - own.targets
        errors = errors if own.weights is None else own.weights.sqrt()[..., None] * errors
        return errors.numpy().flatten()

    first = lmfit.Parameters()
    for name, value in zip(names, start.tolist(), strict=True):
        first.add(name, value)
    minimizer = lmfit.Minimizer(residual, first, ftol=1e-15, xtol=1e-15, gtol=1e-15)  # pyright: ignore
    ends: Any = confidence.conf_interval(minimizer, minimizer.leastsq(), sigmas=[level])
    return [[ends[name][0][1], ends[name][2][1]] for name in names]


CASES = {
    **{name: KINDS[name] for name in ("exponential decay", "power law", "logistic", WEIGHTED)},
    "strongly nonlinear": STRONGLY_NONLINEAR,
    "two outputs": TWO,
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", CASES)
def test_ends_are_those_of_lmfit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(*given: object, **options: object) -> object:
        return root_scalar(*given, **options | {"rtol": 1e-12})  # pyright: ignore

    monkeypatch.setattr(confidence, "root_scalar", strict)
    kind = CASES[name]
    problem = samples(kind, runs=2, count=15)
    if name == WEIGHTED:
        problem = replace(problem, weights=weights(2, 15))
    start = tensor([kind.start]).repeat(2, 1)
    minima, ends = found(kind.graph, problem, start, level=0.9)
    for run in range(2):
        low, high = ends.value.view(2, -1, 2)[run].T
        expected = tensor(by_lmfit(kind, problem, run, minima.parameters[run], 0.9))
        width = (expected[:, 1] - expected[:, 0])[:, None]
        assert ((torch.stack([low, high], 1) - expected).abs() <= 1e-4 * width).all()


def test_ends_do_not_depend_on_the_pack() -> None:
    kind = STRONGLY_NONLINEAR
    problem = samples(kind, runs=7, count=12)
    start = tensor([kind.start]).repeat(7, 1)
    together = found(kind.graph, problem, start)[1]
    for run in range(7):
        some = torch.tensor([run])
        alone = found(kind.graph, problem.of(some), start[some])[1]
        own = slice(run * 6, run * 6 + 6)
        for name in ("value", "end", "last"):
            assert torch.equal(getattr(alone, name).nan_to_num(7), getattr(together, name)[own].nan_to_num(7))


def test_torch_finds_the_ends_that_numba_finds() -> None:
    kind = KINDS["gaussian peak"]
    problem, start = samples(kind, runs=2, count=30), tensor([kind.start]).repeat(2, 1)
    ours, theirs = (
        found(kind.graph, problem, start, fitter=make(kind.graph))[1].value
        for make in (numba_fitter, torch_fitter)
    )
    assert (ours - theirs).abs().max() < 1e-6
    assert not ours.isnan().any()


def test_a_bound_ends_the_search() -> None:
    kind = STRONGLY_NONLINEAR
    problem, start = samples(kind, runs=1, count=12), tensor([kind.start])
    free = found(kind.graph, problem, start)[1].value.view(3, 2)
    best = found(kind.graph, problem, start)[0].parameters[0]
    bound = [-torch.inf, float(best[1] + free[1, 0]) / 2, -torch.inf]  # between b's low end and its minimum
    ends = found(kind.graph, problem, start, bounded(rules(problem, start), lower=bound))[1]
    assert ends.end.tolist()[2:4] == [End.BOUND, End.CROSSED]
    assert ends.value[2].isnan() and abs(ends.last[2] - bound[1]) < 1e-12
    assert ends.value[0] > free[0, 0]  # b may not go where a is less


def test_a_profile_that_levels_off_is_open() -> None:
    graph = parse("xy = v*x/(k + x)")  # far from saturation: a line fits as well, at v and k without end
    x = torch.linspace(0.1, 1, 8, dtype=torch.float64)[:, None]
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, 0.05, (1, 8, 1)))
    start = tensor([[4.0, 4.0]])
    ends = found(graph, Problem(x, 4 * x / (4 + x) + noise), start)[1]
    assert ends.end.tolist() == [End.CROSSED, End.OPEN, End.CROSSED, End.OPEN]


def test_a_wall_of_the_equations_is_told() -> None:
    graph = parse("xy = a + sqrt(x - k)")
    x = torch.linspace(1, 2, 8, dtype=torch.float64)[:, None]
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, 0.3, (1, 8, 1)))
    ends = found(graph, Problem(x, (x - 0.5).sqrt() + noise), tensor([[0.0, 0.5]]))[1]
    assert ends.end[3] == End.WALL and ends.value[3].isnan()
    assert 0 <= 1 - ends.last[3] < 1e-6


def test_a_lower_minimum_is_told() -> None:
    graph = parse("xy = a*sin(w*x)")
    x = torch.linspace(0, 6, 40, dtype=torch.float64)[:, None]
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, 0.5, (1, 40, 1)))
    problem, start = Problem(x, (3 * x).sin() + noise), tensor([[0.2, 1.9]])
    minima, ends = found(graph, problem, start)
    assert abs(minima.parameters[0, 1] - 3) > 0.5
    assert End.LOWER in ends.end.tolist()


def test_known_errors_take_the_rise_itself() -> None:
    kind = KINDS["exponential decay"]
    problem, start = samples(kind, runs=1, count=15), tensor([kind.start])
    problem = replace(problem, weights=torch.full((15,), kind.noise**-2, dtype=torch.float64))
    minima = minima_near(numba_fitter(kind.graph), problem, start, rules(problem, start), count=None)
    one = torch.tensor([1])
    end = find_ends(minima, 0 * one, one, one, tensor([1.959963984540054])).value

    def rise(k: float) -> float:
        curve = (-k * problem.inputs).exp()
        a = (curve * problem.targets[0]).sum() / curve.square().sum()
        return float((a * curve - problem.targets[0]).square().sum() / kind.noise**2 - minima.rss[0])

    k = float(minima.parameters[0, 1])
    theirs = root_scalar(lambda v: rise(v) - 1.959963984540054**2, bracket=(k, k + 1), rtol=1e-12).root
    assert abs(float(end) - theirs) < 1e-8
