"""Robust losses: their rows against autograd, their fits against scipy's least_squares with the same loss."""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult, least_squares
from torch import Tensor

from packtrain.kernels.equations import robust as equation
from packtrain.kernels.equations.losses import loss_of
from packtrain.kernels.equations.robust import LEAST, Robust
from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.least_squares import CONVERGED, Problem, Status, TorchSolver, by_qr
from packtrain.kernels.least_squares.algebra import times
from packtrain.kernels.least_squares.linearize import by_normal_equations
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from packtrain.kernels.least_squares.robust import RobustLoss, fault_of
from packtrain.kernels.least_squares.verify import bends_down
from tests.helpers import assert_close
from tests.kernels.least_squares.fits import (
    KINDS,
    TRIED,
    Backend,
    Kind,
    assert_near,
    bounded,
    fit,
    residuals,
    rules,
    samples,
    starts,
    tensor,
    weights,
)
from tests.kernels.least_squares.losses import OF_SCIPY, ROBUST, WELSCH, by_autograd, deltas, of_runs
from tests.strategies import few

PEAK = KINDS["gaussian peak"]
DECAY = KINDS["exponential decay"]
TWO = Kind("xy = a*log(b + x)\nxz = a*exp(-c*x)", (2, 0.5, 0.7), (1.8, 0.6, 0.8), 0, 4)
RUNS = 3
backends = pytest.mark.parametrize("backend", [TorchSolver, NumbaSolver])


def outlying(kind: Kind, name: str, weighted: bool = False, count: int = 60, first: float = 0.05) -> Problem:
    """Noisy samples, every ninth of which is far off; delta grows from run to run."""
    clean = samples(kind, RUNS, count)
    off = (torch.arange(count) % 9 == 4).double()[None, :, None] * tensor([1.5, -1, 2])[:, None, None]
    given = weights(count) if weighted else None
    return Problem(clean.inputs, clean.targets + off, given, loss=of_runs(name, RUNS, first))


def by_scipy(
    kind: Kind, problem: Problem, start: Tensor, run: int, name: str, bounds: tuple = (-np.inf, np.inf)
) -> OptimizeResult:
    residual = residuals(kind.graph, replace(problem, loss=None), run)
    assert problem.loss is not None
    return least_squares(
        lambda p: residual(torch.from_numpy(p)).numpy(),
        start[run].numpy(),
        lambda p: torch.autograd.functional.jacobian(residual, torch.from_numpy(p)).numpy(),  # pyright: ignore
        bounds,
        "trf",
        *(1e-15, 1e-15, 1e-15),
        x_scale="jac",
        loss=name,
        f_scale=float(problem.loss.constants[run, 0]),
        max_nfev=2000,
    )


def check_rows(rule: Robust, name: str, errors: Tensor, constants: Tensor) -> None:
    """s^2 is l'' where that is positive, s times the second row is l', and the third is 2 l."""
    root, error, square = RobustLoss(rule, constants).rows(errors)
    value, slope, curvature = by_autograd(name, errors, constants)
    assert_close(square, 2 * value)
    assert_close(root * error, slope)
    assert_close(root.square(), curvature.clamp(min=LEAST))


@few
@given(st.sampled_from(ROBUST), st.floats(0.01, 10), st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_rows_are_those_of_the_derivatives(name: str, delta: float, errors: list[float]) -> None:
    apart = [e for e in errors if abs(abs(e) - delta) > 1e-6 and abs(e) > 1e-6]  # from huber's kinks
    if apart:
        constants = deltas(name, 1, delta)
        check_rows(of_runs(name, 1).rule, name, tensor([apart]), constants)


@pytest.mark.parametrize("name", ROBUST)
def test_an_error_of_0_counts_like_one_beside_it(name: str) -> None:
    root, error, square = of_runs(name, 1).rows(torch.zeros(1, 1, dtype=torch.float64))
    assert_close(root, torch.ones_like(root))
    assert abs(error.item()) < 1e-20 and square.item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["value", "slope", "curvature"])
@pytest.mark.parametrize("name", ROBUST)
def test_a_wrong_derivative_is_rejected(name: str, part: int) -> None:
    errors, constants = tensor([[-3, -0.2, 0.11, 0.25, 2.0]]), deltas(name, 1)
    right = of_runs(name, 1).rule
    check_rows(right, name, errors, constants)
    wrong = Robust(right.formula, right.constants)
    parts = list(right.parts)
    parts[part] = equation.number(1.001) * parts[part]
    vars(wrong)["parts"] = tuple(parts)
    with pytest.raises(AssertionError):
        check_rows(wrong, name, errors, constants)


@pytest.mark.sampled
@backends
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OF_SCIPY)
def test_fits_are_scipys(name: str, weighted: bool, backend: Backend) -> None:
    first = 0.5 if name == "arctan" else 0.1  # below, it has several minima
    problem, start = outlying(PEAK, name, weighted, first=first), starts(PEAK, RUNS)
    result = fit(PEAK.graph, problem, start, backend=backend)
    assert result.converged
    for run in range(RUNS):
        expected = by_scipy(PEAK, problem, start, run, name)
        assert_near(result.parameters[run], tensor(expected.x), 1e-6)
        assert float(result.rss[run]) == pytest.approx(2 * expected.cost, rel=1e-10)


@pytest.mark.sampled
@pytest.mark.parametrize("damped", [True, False], ids=["LM", "GN"])
@pytest.mark.parametrize("kind", [PEAK, TWO], ids=["peak", "two outputs"])
@pytest.mark.parametrize("name", ROBUST)
def test_the_compiled_fit_is_that_of_torch(name: str, kind: Kind, damped: bool) -> None:
    problem, start = outlying(kind, name, weighted=True, first=0.5), starts(kind, RUNS)
    given = rules(problem, start)
    ours, theirs = (fit(kind.graph, problem, start, given, damped, b) for b in (NumbaSolver, TorchSolver))
    assert ours.converged and theirs.converged
    assert_near(ours.parameters, theirs.parameters, 1e-6)
    assert_near(ours.rss, theirs.rss, 1e-10)
    for part in TRIED:
        first, second = (getattr(each.trials, part)[:3] for each in (ours, theirs))
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-9)


def test_a_run_has_the_same_bits_in_any_pack() -> None:
    problem, start = outlying(DECAY, "cauchy"), starts(DECAY, RUNS)
    pack = fit(DECAY.graph, problem, start, backend=NumbaSolver)
    for run in range(RUNS):
        one = torch.tensor([run])
        alone = fit(DECAY.graph, problem.of(one), start[one], backend=NumbaSolver)
        assert torch.equal(alone.parameters[0], pack.parameters[run])
        assert alone.steps_done[0] == pack.steps_done[run]


@backends
def test_runs_that_go_on_keep_their_constants(backend: Backend) -> None:
    """Where some have ended, the others are advanced apart."""
    problem, start = outlying(DECAY, "cauchy"), starts(DECAY, RUNS)
    start[0] = fit(DECAY.graph, problem, start, backend=backend).parameters[0]
    once = fit(DECAY.graph, problem, start, backend=backend)
    sliced = fit(DECAY.graph, problem, start, backend=backend, slices=(4, 3, 200))
    assert once.converged and once.steps_done[0] < once.steps_done[1]
    assert_near(sliced.parameters, once.parameters, 1e-9)


@pytest.mark.sampled(2)
@backends
@pytest.mark.parametrize("name", ["huber", "cauchy"])
def test_bounds(name: str, backend: Backend) -> None:
    """k is held below where it would go; scipy's bounds are open, so it ends beside them."""
    problem, start = outlying(DECAY, name), starts(DECAY, RUNS)
    upper = [[torch.inf, 1.1]]
    result = fit(DECAY.graph, problem, start, bounded(rules(problem, start), upper=upper), backend=backend)
    assert result.converged and (result.parameters[:, 1] == 1.1).all()
    for run in range(RUNS):
        bounds = ([-np.inf, -np.inf], [np.inf, 1.1])
        expected = by_scipy(DECAY, problem, start.clamp(max=1.09), run, name, bounds)
        assert_near(result.parameters[run], tensor(expected.x), 1e-5)


@backends
def test_a_large_delta_makes_squares(backend: Backend) -> None:
    problem, start = outlying(PEAK, "cauchy"), starts(PEAK, RUNS)
    squares = fit(PEAK.graph, replace(problem, loss=None), start, backend=backend)
    for name in OF_SCIPY:
        wide = replace(problem, loss=of_runs(name, RUNS, 1e7))
        assert_near(fit(PEAK.graph, wide, start, backend=backend).parameters, squares.parameters, 1e-6)


@backends
@pytest.mark.parametrize("name", ROBUST)
def test_data_that_lie_on_the_curve_are_fitted_exactly(name: str, backend: Backend) -> None:
    clean = replace(DECAY, noise=0.0)
    problem = replace(samples(clean, RUNS), loss=of_runs(name, RUNS))
    result = fit(clean.graph, problem, starts(clean, RUNS), backend=backend)
    assert result.converged
    assert_near(result.parameters, tensor([clean.truth] * RUNS), 1e-6)


def test_single_precision_fits_end_near_those_in_double() -> None:
    problem, start = outlying(DECAY, "cauchy"), starts(DECAY, RUNS)
    exact = fit(DECAY.graph, problem, start)
    single = replace(problem, inputs=problem.inputs.float(), targets=problem.targets.float())
    result = fit(DECAY.graph, single, start.float(), rules(single, start.float(), 1e-6))
    assert result.converged
    assert_near(result.parameters, exact.parameters, 1e-3)


@pytest.mark.parametrize("name", ROBUST)
def test_normal_equations_are_those_of_qr(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["packtrain.kernels.least_squares.linearize"], "BLOCK", 7)
    problem, given = outlying(TWO, name, weighted=True), (partial(jacobian, TWO.graph), starts(TWO, RUNS))
    of_sums, of_rows = by_normal_equations(*given, problem), by_qr(*given, problem)
    assert_close(of_sums.rss, of_rows.rss)
    assert_close(of_sums.root.mT @ of_sums.root, of_rows.root.mT @ of_rows.root)
    ours, theirs = (times(part.projected, part.root) for part in (of_sums, of_rows))
    assert_close(ours, theirs, torch.float32)


def test_more_rows_than_a_block() -> None:
    problem, start = outlying(DECAY, "cauchy", count=2500), starts(DECAY, RUNS)
    ours, theirs = (fit(DECAY.graph, problem, start, backend=b) for b in (NumbaSolver, TorchSolver))
    assert ours.converged
    assert_near(ours.parameters, theirs.parameters, 1e-6)


def test_between_two_groups_of_samples_is_no_minimum() -> None:
    constant = Kind("xy = a + 0*x", (0.0,), (0.0,), 0, 1)
    targets = torch.cat([torch.full((20, 1), -9.0), torch.full((20, 1), 9.0)]).double()
    problem = Problem(torch.zeros_like(targets), targets, loss=of_runs("cauchy", 2, 1.0))
    at = tensor([[0.0], [9.0]])
    result = fit(constant.graph, problem, at)
    assert result.parameters[0, 0] == 0 and Status(int(result.status[0])) in CONVERGED
    found = bends_down(partial(jacobian, constant.graph), result.parameters, problem, rules(problem, at))
    assert found.tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "constants", "fault"),
    [
        *((name, [1.0], "") for name in OF_SCIPY),
        ("log_cosh", [], ""),
        (WELSCH, [], ""),
        ("log(cosh(t - y))", [], ""),
        ("where(y - t > 0, k*(y - t)^2, (y - t)^2)", [3.0], ""),
        ("mae", [], "its second derivative is 0"),
        ("quantile", [0.3], "its second derivative is 0"),
        ("poisson", [], "it is not one of y - t alone"),
        ("binary_cross_entropy", [], "it is not one of y - t alone"),
        ("cross_entropy", [], "it is not one of y - t alone"),
        ("abs(y - t)^k", [1.5], "its second derivative at y = t is 0 or infinite"),
        ("(y - t)^4", [], "its second derivative at y = t is 0 or infinite"),
        ("-(y - t)^2", [], "its second derivative at y = t is 0 or infinite"),
        ("sqrt(1 + (y - t)^2)", [], "it has no minimum of 0 at y = t"),
        ("abs(y - t) + (y - t)^2", [], "it has no minimum of 0 at y = t"),
    ],
)
def test_which_losses_serve(text: str, constants: list[float], fault: str) -> None:
    assert fault_of(loss_of(text), tensor([constants])) == fault
