import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from packtrain.kernels.expression.reference import jacobian, predict
from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import CONVERGED, Problem, Rules, Status, TorchSolver
from packtrain.kernels.least_squares import torch_solver as batched
from tests.helpers import assert_close
from tests.kernels.least_squares.fits import (
    KINDS,
    TRIED,
    Fitted,
    Kind,
    assert_near,
    bounded,
    by_curve_fit,
    by_scipy,
    far_away,
    fit,
    make,
    rules,
    samples,
    starts,
    tensor,
    weights,
)

DECAY, SINE, PEAK = KINDS["exponential decay"], KINDS["sine"], KINDS["gaussian peak"]

both = pytest.mark.parametrize("damped", [True, False], ids=["LM", "GN"])


def assert_falls(found: Fitted) -> None:
    """The sum of squares never rises from one trial to the next, in any run."""
    rss = found.trials.rss
    assert not (rss[1:] > rss[:-1]).any()
    assert (rss.isfinite().sum(0) == found.steps_done).all()


@pytest.mark.sampled(6)
@both
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_fit_is_that_of_scipys_curve_fit(kind: Kind, damped: bool) -> None:
    problem, start = samples(kind, 2), starts(kind, 2)
    found = fit(kind.graph, problem, start, damped=damped)
    assert found.converged
    assert_falls(found)
    assert_near(found.parameters, by_curve_fit(kind.graph, problem, start), 1e-7)


@both
@pytest.mark.parametrize("shape", [(60,), (2, 60)])
def test_weights_are_curve_fits_sigma(shape: tuple[int, ...], damped: bool) -> None:
    problem, start = replace(samples(DECAY, 2), weights=weights(*shape)), starts(DECAY, 2)
    found = fit(DECAY.graph, problem, start, damped=damped)
    assert found.converged
    expected = by_curve_fit(DECAY.graph, problem, start)
    assert_near(found.parameters, expected, 1e-7)
    plain = by_curve_fit(DECAY.graph, replace(problem, weights=None), start)
    assert (expected / plain - 1).abs().max() > 1e-4


@both
def test_a_linear_problem_takes_a_few_steps(damped: bool) -> None:
    kind = Kind("xy = a + b*x + c*x^2", (1, -2, 3), (0, 0, 0), -1, 1)
    problem = samples(kind, 3)
    found = fit(kind.graph, problem, starts(kind, 3), damped=damped)
    design = torch.cat([problem.inputs**k for k in range(3)], 1)
    assert_close(
        found.parameters, torch.linalg.lstsq(design.expand(3, -1, -1), problem.targets).solution[..., 0]
    )
    assert found.converged and found.steps_done.max() <= 4


@both
def test_without_tolerances_a_fit_ends_where_rounding_begins(damped: bool) -> None:
    problem, start = samples(PEAK, 6), starts(PEAK, 6)
    given = rules(problem, start, tolerance=0.0)
    found = fit(PEAK.graph, problem, start, given, damped)
    assert found.converged and found.steps_done.max() < 60
    assert (found.status == Status.ROUNDING).any()


@both
def test_trials_that_are_worse_are_refused(damped: bool) -> None:
    """Starts so far away that many a step is too long."""
    problem = samples(PEAK, 3)
    found = fit(PEAK.graph, problem, tensor([[0.2, m, 0.3, 0, 0] for m in (0.2, 2.4, 0.8)]), damped=damped)
    assert_falls(found)
    assert (found.trials.rss[1:] == found.trials.rss[:-1]).sum() > 5


@both
def test_exact_data_are_met_exactly(damped: bool) -> None:
    problem = samples(replace(DECAY, noise=0.0), 3)
    found = fit(DECAY.graph, problem, starts(DECAY, 3), damped=damped)
    assert found.converged
    assert_near(found.parameters, tensor([DECAY.truth]).expand(3, 2), 1e-12)


def test_several_outputs_are_fitted_together() -> None:
    kind = Kind("xy = a*exp(-b*x) + c\nxz = b*x + c", (2, 0.7, 0.5), (1, 1, 0), 0, 3)
    problem, start = replace(samples(kind, 2), weights=weights(60)), starts(kind, 2)
    found = fit(kind.graph, problem, start)
    assert found.converged
    assert_near(found.parameters, by_scipy(kind.graph, problem, start), 1e-7)


BOUNDS = [
    (DECAY, [0, 0], [2.0, 5], 0),
    (DECAY, [0, 1.5], [9, 5], 1),
    (SINE, [0, 0, 0, -1], [1.7, 9, 9, 9], 0),
    (PEAK, [0, 0, 0.45, 0, 0], [9, 9, 9, 9, 9], 2),
    (PEAK, [0, 0, 0, -9, 0.2], [9, 9, 9, 9, 9], 4),
    (KINDS["logistic"], [0, 0, 0.01], [4.8, 9, 9], 0),
]


@pytest.mark.sampled(4)
@both
@pytest.mark.parametrize(("kind", "lower", "upper", "active"), BOUNDS)
def test_bounds_are_kept_and_the_optimum_is_scipys(
    kind: Kind, lower: list[float], upper: list[float], active: int, damped: bool
) -> None:
    problem = samples(kind, 2)
    start = starts(kind, 2).clamp(tensor(lower) + 1e-3, tensor(upper) - 1e-3)
    given = bounded(rules(problem, start), lower, upper)
    found = fit(kind.graph, problem, start, given, damped)
    seen = found.trials.parameters
    assert not (seen < given.lower).any() and not (seen > given.upper).any()
    assert ((found.parameters == given.lower) | (found.parameters == given.upper))[:, active].all()
    assert found.converged
    assert_near(found.parameters, by_scipy(kind.graph, problem, start, lower, upper), 1e-6)


TEXTS = [
    "xy = a*exp(-k*x) + c",
    "xy = (a + b*x)/(1 + c*x)",
    "xy = h*exp(-((x - m)/s)^2) + b",
    "xy = a + b*x + c*x^2 + d*x^3",
    "xy = a*exp(-b*x) + c*exp(-d*x)",
    "xy = a*sin(w*x + f) + c",
]


def boxed(text: str, runs: int, seed: int) -> tuple[Problem, Tensor, Rules]:
    """Noisy samples of random parameters, and random bounds, which the best fit seldom lies within."""
    rng, graph = np.random.default_rng(seed), parse(text)
    shape = runs, len(graph.parameters)
    inputs = torch.linspace(0.05, 3, 12, dtype=torch.float64)[:, None]
    clean = predict(graph, torch.from_numpy(rng.uniform(0.3, 2, shape)), inputs)
    problem = Problem(inputs, clean + torch.from_numpy(rng.normal(0, 0.05, clean.shape)))
    lower = torch.from_numpy(rng.uniform(0.1, 1, shape))
    upper = lower + torch.from_numpy(rng.uniform(0.2, 1.5, shape))
    start = lower + (upper - lower) * torch.from_numpy(rng.choice([0, 0.3, 0.5, 1], shape))
    start = start.clamp(lower, upper)
    return problem, start, replace(rules(problem, start), lower=lower, upper=upper)


@pytest.mark.sampled
@both
@pytest.mark.parametrize("tolerance", [0.0, 1e-14, 1e-10, 1.5e-8])
@pytest.mark.parametrize("text", TEXTS)
def test_where_one_parameter_alone_could_do_better_no_fit_has_converged(
    text: str, tolerance: float, damped: bool
) -> None:
    """A joint step that bounds cut may predict no reduction while a step of one parameter would help."""
    problem, start, given = boxed(text, 40, TEXTS.index(text))
    same = torch.full_like(given.ftol, tolerance)
    given = replace(given, ftol=same, xtol=same, gtol=same)
    found = fit(parse(text), problem, start, given, damped)
    converged = torch.tensor([Status(int(status)) in CONVERGED for status in found.status])
    assert converged.sum() >= 30
    ended = found.parameters
    assert not (ended < given.lower).any() and not (ended > given.upper).any()
    outputs, slopes = jacobian(parse(text), ended, problem.inputs)
    errors, slopes = (outputs - problem.targets)[..., 0], slopes[:, :, 0]
    rss = errors.square().sum(1)
    noticed = 1e3 * (tolerance * rss + 1e-15 * (rss + rss.sqrt() * problem.size))
    newton = -(slopes * errors[..., None]).sum(1) / slopes.square().sum(1)
    for k in range(ended.shape[1]):
        moved = ended.clone()
        moved[:, k] = (ended[:, k] + newton[:, k]).clamp(given.lower[:, k], given.upper[:, k])
        there = (predict(parse(text), moved, problem.inputs) - problem.targets).square().sum((1, 2))
        assert not (converged & (rss - there > noticed)).any()


def test_gauss_newton_whose_steps_bounds_cut_is_stuck_and_says_so() -> None:
    """Not every boxed fit converges; those that don't end so that one parameter alone could go on."""
    ends = []
    for seed, text in enumerate(TEXTS):
        problem, start, given = boxed(text, 40, seed)
        same = torch.full_like(given.ftol, 1.5e-8)
        given = replace(given, ftol=same, xtol=same, gtol=same)
        ends += fit(parse(text), problem, start, given, False).status.tolist()
    assert Status.STUCK in ends and Status.GRADIENT in ends
    assert sum(Status(end) in CONVERGED for end in ends) > 0.9 * len(ends)


@pytest.mark.sampled(6)
@both
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_with_loose_tolerances_fits_converge_all_the_same(kind: Kind, damped: bool) -> None:
    problem, start = samples(kind, 4), starts(kind, 4)
    found = fit(kind.graph, problem, start, rules(problem, start, 1.5e-8), damped)
    assert found.converged and found.steps_done.max() < 60
    best = fit(kind.graph, problem, start, damped=damped)
    assert (found.steps_done <= best.steps_done).all()
    outputs = predict(kind.graph, found.parameters, problem.inputs)
    assert_near((outputs - problem.targets).square().sum((1, 2)), best.rss, 1e-6)
    assert_near(found.parameters, best.parameters, 1e-3)


def test_bounds_are_each_runs_own() -> None:
    problem, start = samples(DECAY, 3), starts(DECAY, 3)
    given = bounded(rules(problem, start), upper=[[9, 9], [2.0, 9], [9, 1.2]])
    found = fit(DECAY.graph, problem, start, given)
    assert found.parameters[1, 0] == 2 and found.parameters[2, 1] == 1.2
    assert (found.parameters[0] == fit(DECAY.graph, problem, start).parameters[0]).all()


@both
def test_fixed_parameters_do_not_move(damped: bool) -> None:
    problem, start = samples(PEAK, 3), starts(PEAK, 3)
    given = rules(problem, start)
    given.free[1, 3:] = False
    given.free[2, 0] = False
    found = fit(PEAK.graph, problem, start, given, damped)
    assert found.converged
    assert (found.parameters == start)[~given.free].all()
    assert not (found.parameters == start)[given.free].any()
    less = parse("xy = h*exp(-((x - m)/s)^2)")
    assert_near(
        found.parameters[[1], :3], by_curve_fit(less, problem.of(torch.tensor([1])), start[[1], :3]), 1e-7
    )


@both
@pytest.mark.parametrize("tolerance", [1e-14, 1.5e-8])
def test_a_huge_parameter_that_is_fixed_ends_no_fit(tolerance: float, damped: bool) -> None:
    """|p|, which xtol is relative to, is that of parameters that have moved."""
    kind = Kind("xy = a*exp(-k*(x - t)) + c", (2.5, 1.3, 0, 0.5), (1, 1, 0, 0.1), 0, 4)
    assert list(kind.graph.parameters) == ["a", "k", "t", "c"]
    problem, start, given, near = far_away(kind, "t", 3)
    loose = torch.full_like(given.xtol, tolerance)
    given = replace(given, xtol=loose, ftol=loose)
    found = fit(kind.graph, problem, start, given, damped)
    assert found.converged and found.steps_done.min() > 3
    assert (found.parameters[:, 2] == 1.7e9).all()
    here = starts(kind, 3)
    here[:, 2] = 0
    expected = fit(kind.graph, near, here, given, damped)
    assert found.status.equal(expected.status) and found.steps_done.equal(expected.steps_done)
    moved = [0, 1, 3]
    assert_near(found.parameters[:, moved], expected.parameters[:, moved], 1e-7)
    less = parse("xy = a*exp(-k*x) + c")
    assert_near(found.parameters[:, moved], by_curve_fit(less, near, here[:, moved]), 1e-5)


@both
def test_all_parameters_may_be_fixed(damped: bool) -> None:
    problem, start = samples(DECAY, 2), starts(DECAY, 2)
    given = rules(problem, start)
    given.free[0] = False
    found = fit(DECAY.graph, problem, start, given, damped)
    assert found.converged and found.parameters[0].equal(start[0])


@both
@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
@pytest.mark.parametrize("where", ["start", "targets"])
def test_a_start_that_is_not_finite_ends_alone(where: str, poison: float, damped: bool) -> None:
    problem, start = samples(PEAK, 4), starts(PEAK, 4)
    clean = fit(PEAK.graph, problem, start, damped=damped)
    size = problem.size
    if where == "start":
        start[2, 2] = torch.nan
    else:
        problem.targets[2, 5, 0] = poison
    dirty = fit(PEAK.graph, problem, start, replace(rules(problem, start), size=size), damped)
    others = [0, 1, 3]
    assert Status(int(dirty.status[2])) is Status.NOT_FINITE and dirty.steps_done[2] == 0
    assert dirty.parameters[2].equal(start[2]) or where == "start"
    assert dirty.status[others].equal(clean.status[others])
    torch.testing.assert_close(dirty.parameters[others], clean.parameters[others], rtol=1e-12, atol=1e-13)


@both
def test_a_trial_that_leaves_the_domain_is_recovered_from(damped: bool) -> None:
    kind = Kind("xy = a*log(b + x)", (2, 0.05), (1, 3), 0, 4)
    problem, start = samples(kind, 3), starts(kind, 3)
    left = []

    def model(parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        outputs, slopes = jacobian(kind.graph, parameters, inputs)
        left.append(not outputs.isfinite().all())
        return outputs, slopes

    fits = TorchSolver(model, problem, start.clone(), rules(problem, start), damped)
    trials = fits.advance(200)
    assert any(left)
    assert trials.rss[:2].isfinite().all()
    assert_near(fits.parameters, by_scipy(kind.graph, problem, tensor([kind.truth]).expand(3, 2)), 1e-7)


def test_a_singular_jacobian_ends_gauss_newton_alone() -> None:
    kind = Kind("xy = a*b*x", (2, 3), (1, 2), 0.1, 4)
    problem, start = samples(kind, 3), starts(kind, 3)
    best = (problem.inputs * problem.targets).sum((1, 2)) / problem.inputs.square().sum()
    damped = fit(kind.graph, problem, start)
    assert damped.converged
    assert_near(damped.parameters.prod(1), best, 1e-9)
    undamped = fit(kind.graph, problem, start, damped=False)
    assert undamped.status.tolist() == [Status.SINGULAR] * 3


def test_a_parameter_without_any_effect_is_left_alone() -> None:
    kind = Kind("xy = a*x + 0*b*x^2", (2, 3), (1, 2), 0.1, 4)
    problem, start = samples(kind, 2), starts(kind, 2)
    found = fit(kind.graph, problem, start)
    assert found.converged
    assert found.parameters[:, 1].equal(start[:, 1])
    assert fit(kind.graph, problem, start, damped=False).status.tolist() == [Status.SINGULAR] * 2


@both
def test_a_fit_ends_with_its_steps(damped: bool) -> None:
    problem, start = samples(SINE, 3), starts(SINE, 3)
    given = replace(rules(problem, start), steps=torch.tensor([1, 2, 200]))
    found = fit(SINE.graph, problem, start, given, damped)
    assert found.status[:2].tolist() == [Status.EXHAUSTED] * 2 and found.status[2] in (1, 2, 3, 4)
    assert found.steps_done[:2].tolist() == [1, 2] and found.steps_done[2] > 2
    assert found.trials.rss.isfinite().sum(0).equal(found.steps_done)
    free = fit(SINE.graph, problem, start, damped=damped, slices=(1, 1))
    assert_close(found.parameters[1], free.parameters[1])


def test_tolerances_are_each_runs_own() -> None:
    problem, start = samples(PEAK, 1), starts(PEAK, 1)
    problem = Problem(problem.inputs, problem.targets.expand(4, -1, -1).clone())
    start = start.expand(4, -1).clone()
    loose, tight = 1e-2, 1e-14
    given = replace(
        rules(problem, start),
        ftol=tensor([tight, loose, tight, tight]),
        xtol=tensor([tight, tight, loose, tight]),
        gtol=tensor([tight, tight, tight, loose]),
    )
    found = fit(PEAK.graph, problem, start, given)
    assert found.status[1:].tolist() == [Status.COST, Status.STEP, Status.GRADIENT]
    assert (found.steps_done[1:] < found.steps_done[0]).all()


@both
@pytest.mark.parametrize("slices", [(1,) * 60, (3, 7, 50)])
def test_cutting_a_fit_into_slices_changes_nothing(slices: tuple[int, ...], damped: bool) -> None:
    problem, start = samples(PEAK, 4), starts(PEAK, 4)
    whole = fit(PEAK.graph, problem, start, damped=damped, slices=(60,))
    cut = fit(PEAK.graph, problem, start, damped=damped, slices=slices)
    assert cut.status.equal(whole.status) and cut.steps_done.equal(whole.steps_done)
    assert_close(cut.parameters, whole.parameters)
    for name in TRIED:
        assert_close(getattr(cut.trials, name), getattr(whole.trials, name))


@pytest.mark.parametrize("most", [1, 800, 1 << 23], ids=["one at a time", "two", "all"])
@both
def test_trials_are_of_the_fits_that_were_running(
    most: int, damped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched, "MOST_NUMBERS", most)
    problem, start = samples(PEAK, 5), starts(PEAK, 5)
    given = replace(rules(problem, start), steps=torch.tensor([5, 3, 200, 4, 200]))
    fits = make(TorchSolver, PEAK.graph, problem, start, given, damped)
    seen = []
    while len(running := (fits.status == Status.RUNNING).nonzero()[:, 0]):
        before, taken, parameters = fits.status.clone(), fits.steps_done.clone(), fits.parameters.clone()
        trials = fits.advance(2)
        seen.append(len(running))
        assert trials.runs.equal(running)
        assert trials.rss.shape == trials.gradient.shape == trials.damping.shape == (2, len(running))
        assert trials.parameters.shape == (2, len(running), 5)
        assert trials.parameters[0].equal(parameters[running])
        assert trials.rss.isfinite().sum(0).equal((fits.steps_done - taken)[running])
        ended = before != Status.RUNNING
        assert fits.parameters[ended].equal(parameters[ended]) and fits.steps_done[ended].equal(taken[ended])
        assert fits.status[ended].equal(before[ended])
    assert seen[:4] == [5, 5, 3, 2]


@pytest.mark.parametrize("most", [1, 800], ids=["one at a time", "two"])
@both
def test_a_pack_is_the_same_when_only_a_part_fits(
    most: int, damped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, start = replace(samples(PEAK, 5), weights=weights(5, 60)), starts(PEAK, 5)
    given = bounded(rules(problem, start), upper=[[9, 9, 9, 9, 9]] * 4 + [[2.5, 9, 9, 9, 9]])
    given = replace(given, steps=torch.tensor([3, 200, 200, 200, 200]))
    whole = fit(PEAK.graph, problem, start, given, damped)
    monkeypatch.setattr(batched, "MOST_NUMBERS", most)
    parts = fit(PEAK.graph, problem, start, given, damped, slices=(2, 198))
    assert parts.status.equal(whole.status) and parts.steps_done.equal(whole.steps_done)
    assert_close(parts.parameters, whole.parameters)


@both
def test_a_fit_does_not_depend_on_its_neighbours(damped: bool) -> None:
    problem, start = samples(SINE, 5), starts(SINE, 5)
    given = bounded(rules(problem, start), upper=[[9, 9, 9, 9]] * 4 + [[1.9, 9, 9, 9]])
    given.free[3, 3] = False
    together = fit(SINE.graph, problem, start, given, damped)
    for run in range(5):
        own = torch.tensor([run])
        alone = fit(SINE.graph, problem.of(own), start[own], given.of(own), damped)
        assert alone.status[0] == together.status[run]
        assert_close(alone.parameters[0], together.parameters[run])


@both
@pytest.mark.parametrize("kind", [DECAY, SINE, PEAK], ids=["decay", "sine", "peak"])
def test_single_precision_converges(kind: Kind, damped: bool) -> None:
    problem, start = samples(kind, 3), starts(kind, 3)
    single = Problem(problem.inputs.float(), problem.targets.float())
    found = fit(kind.graph, single, start.float(), rules(single, start, tolerance=1e-7), damped)
    assert found.parameters.dtype == torch.float32
    assert found.converged and found.steps_done.max() < 60
    assert_near(found.parameters, fit(kind.graph, problem, start).parameters, 2e-4)


@both
def test_single_precision_holds_squares_beyond_it(damped: bool) -> None:
    """Residuals of up to 1e21, whose squares are beyond float32."""
    problem, start = samples(DECAY, 3), starts(DECAY, 3)
    huge = Problem(problem.inputs.float(), (3e20 * problem.targets).float())
    far = start * tensor([3e20, 1])
    found = fit(DECAY.graph, huge, far.float(), rules(huge, far, tolerance=1e-7), damped)
    assert found.converged and found.trials.rss[0].min() > 1e40
    expected = fit(DECAY.graph, problem, start, damped=damped).parameters * tensor([3e20, 1])
    assert_near(found.parameters / expected, torch.ones_like(expected), 2e-4)


@both
def test_single_precision_with_tolerances_beyond_it_converges(damped: bool) -> None:
    problem, start = samples(DECAY, 8), starts(DECAY, 8)
    single = Problem(problem.inputs.float(), problem.targets.float())
    found = fit(DECAY.graph, single, start.float(), rules(single, start), damped)
    assert found.converged
    assert_near(found.parameters, fit(DECAY.graph, problem, start).parameters, 2e-4)


def test_trials_tell_how_each_fit_stood() -> None:
    problem, start = samples(SINE, 2), starts(SINE, 2)
    found = fit(SINE.graph, problem, start)
    trials = found.trials
    assert trials.parameters[0].equal(start)
    for row in range(int(found.steps_done.max())):
        for run in (run for run in range(2) if row < found.steps_done[run]):
            own = problem.of(torch.tensor([run]))
            outputs, slopes = jacobian(SINE.graph, trials.parameters[row, [run]], own.inputs)
            errors = outputs - own.targets
            assert_close(trials.rss[row, run], errors.square().sum())
            assert_close(trials.gradient[row, run], (slopes * errors[..., None]).sum((1, 2)).norm())
    ended = torch.arange(200)[:, None] >= found.steps_done
    for part in (trials.rss, trials.gradient, trials.damping, trials.parameters[..., 0]):
        assert (part.isnan() == ended).all()


def test_parameters_are_changed_in_place() -> None:
    problem, start = samples(DECAY, 2), starts(DECAY, 2)
    given = start.clone()
    fits = TorchSolver(partial(jacobian, DECAY.graph), problem, given, rules(problem, start), True)
    assert given.equal(start) and fits.parameters is given
    fits.advance(1)
    assert not given.equal(start)
    fits.advance(100)
    before = given.clone()
    trials = fits.advance(5)
    assert given.equal(before) and not len(trials.runs)
    assert trials.rss.shape == (5, 0) and trials.parameters.shape == (5, 0, 2)


def test_a_large_fit_takes_normal_equations_and_ends_at_the_same_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem, start = replace(samples(PEAK, 3), weights=weights(60)), starts(PEAK, 3)
    expected = fit(PEAK.graph, problem, start)
    source = sys.modules["packtrain.kernels.least_squares.linearize"]
    monkeypatch.setattr(source, "LARGE", 0)
    monkeypatch.setattr(source, "BLOCK", 7)
    found = fit(PEAK.graph, problem, start)
    assert found.converged
    assert_near(found.parameters, expected.parameters, 1e-7)
