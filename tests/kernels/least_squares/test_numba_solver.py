"""Three graphs are compiled here, about ten seconds each; afterwards the user's cache has them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import (
    Problem,
    Rules,
    Status,
    TorchSolver,
    numba_criteria,
    numba_linearize,
)
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from packtrain.kernels.least_squares.problem import Linear
from tests.helpers import assert_close
from tests.kernels.least_squares.fits import (
    TRIED,
    Backend,
    Fitted,
    Kind,
    assert_near,
    bounded,
    by_curve_fit,
    by_scipy,
    far_away,
    fit,
    joined,
    make,
    rules,
    samples,
    starts,
    tensor,
    weights,
)

PEAK = Kind("xy = h*exp(-((x - m)/s)^2) + b", (3, 1.2, 0.4, 0.5), (2, 1, 0.6, 0), 0, 3)
TWO = Kind("xy = a*log(b + x)\nxz = a*exp(-c*x) + abs(b)", (2, 0.05, 0.7), (1, 3, 1), 0, 4)
MANY = Kind(
    " + ".join(["xy = a0", *(f"a{k}*sin({k}*x) + b{k}*cos({k}*x)" for k in range(1, 7))]) + " + c*exp(d*x)",
    (0.5, *[1.0, -0.5] * 6, 0.3, 0.7),
    (0.1, *[0.5, 0.5] * 6, 0.5, 0.5),
    -3,
    3,
)
LONG = numba_linearize.BLOCK * 2 + 301

both = pytest.mark.parametrize("damped", [True, False], ids=["LM", "GN"])


def agree(
    kind: Kind,
    problem: Problem,
    runs: int,
    damped: bool = True,
    change: Callable[[Rules], Rules] = lambda given: given,
) -> Fitted:
    """The compiled fit, which ends where the batched one does."""
    start = starts(kind, runs)
    given = change(rules(problem, start))
    found = fit(kind.graph, problem, start, given, damped, NumbaSolver)
    batched = fit(kind.graph, problem, start, given, damped)
    assert found.converged and batched.converged
    assert not (found.trials.rss[1:] > found.trials.rss[:-1]).any()
    assert_near(found.parameters, batched.parameters, 1e-7)
    assert_near(found.rss, batched.rss, 1e-10)
    assert (found.steps_done - batched.steps_done).abs().max() <= 3
    first = min(int(found.steps_done.min()), int(batched.steps_done.min()), 4)
    for name in TRIED:
        ours, theirs = getattr(found.trials, name)[:first], getattr(batched.trials, name)[:first]
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    return found


def assert_same_trials(found: Fitted, expected: Fitted) -> None:
    """The same trial steps to the bit, as far as both go; what is beyond is NaN."""
    for name in TRIED:
        ours, theirs = getattr(found.trials, name), getattr(expected.trials, name)
        assert torch.equal(ours.nan_to_num(-7), theirs.nan_to_num(-7))


@pytest.mark.sampled(2)
@both
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_is_that_of_batched_and_of_curve_fit(damped: bool, weighted: bool) -> None:
    problem = replace(samples(PEAK, 3), weights=weights(3, 60) if weighted else None)
    found = agree(PEAK, problem, 3, damped)
    assert_near(found.parameters, by_curve_fit(PEAK.graph, problem, starts(PEAK, 3)), 1e-7)


@both
def test_samples_that_runs_share(damped: bool) -> None:
    problem = samples(PEAK, 1)
    found = agree(PEAK, Problem(problem.inputs, problem.targets[0], weights(60)), 3, damped)
    assert_near(found.parameters, found.parameters[:1].expand(3, -1), 1e-7)


def test_two_outputs_with_weights() -> None:
    problem = replace(samples(TWO, 3), weights=weights(60))
    start = tensor([TWO.truth]).expand(3, 3)
    given = bounded(rules(problem, starts(TWO, 3)), lower=[[-9, 0.001, -9]])
    found = agree(TWO, problem, 3, change=lambda _: given)
    assert_near(found.parameters, by_scipy(TWO.graph, problem, start), 1e-7)


@both
def test_a_trial_that_leaves_the_domain_is_recovered_from(damped: bool) -> None:
    """Where b + x is negative the outputs are NaN."""
    problem, start = samples(TWO, 3), starts(TWO, 3)
    found = fit(TWO.graph, problem, start, damped=damped, backend=NumbaSolver)
    assert found.converged
    assert_near(found.parameters, by_scipy(TWO.graph, problem, tensor([TWO.truth]).expand(3, 3)), 1e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [PEAK, TWO, MANY], ids=["peak", "two outputs", "many parameters"])
def test_more_rows_than_a_block(kind: Kind, weighted: bool) -> None:
    problem = samples(kind, 2, count=LONG)
    problem = replace(problem, weights=weights(LONG) if weighted else None)
    start = tensor([kind.truth]).expand(2, -1) * 1.02
    given = rules(problem, start)
    found = fit(kind.graph, problem, start, given, backend=NumbaSolver)
    assert found.converged
    expected = fit(kind.graph, problem, start, given)
    assert_near(found.parameters, expected.parameters, 1e-7)
    assert_near(found.trials.gradient[0], expected.trials.gradient[0], 1e-9)
    assert_near(found.rss, expected.rss, 1e-10)


def gram(linear: Linear) -> Tensor:
    """[A | c]^T [A | c], which is the same for all roots."""
    root = torch.cat([linear.root, linear.projected[..., None]], 2)
    return root.mT @ root


@pytest.mark.parametrize(("kind", "count"), [(PEAK, 60), (PEAK, LONG), (TWO, 60)])
def test_the_linear_problems_at_the_solutions_are_those_of_batched(kind: Kind, count: int) -> None:
    """Each with the bits that it has alone; zero where something isn't finite."""
    problem = replace(samples(kind, 4, count=count), weights=weights(4, count))
    parameters = starts(kind, 4)
    parameters[2, 0] = torch.nan

    def solved(backend: Backend, runs: Tensor) -> Linear:
        own, part = problem.of(runs), parameters[runs]
        ((order, found),) = make(backend, kind.graph, own, part, rules(own, part), True).solutions()
        assert torch.equal(order, torch.arange(len(runs)))
        return found

    everyone = torch.arange(4)
    found, expected = solved(NumbaSolver, everyone), solved(TorchSolver, everyone)
    assert_near(found.rss, expected.rss, 1e-12)
    assert_near(gram(found), gram(expected), 1e-10)
    assert not found.root[2].any() and found.rss[2] == torch.inf
    for run in everyone.split(1):
        alone = solved(NumbaSolver, run)
        assert all(torch.equal(one, all_of[run]) for one, all_of in zip(alone, found, strict=True))


@both
def test_without_tolerances_a_fit_ends_where_rounding_begins(damped: bool) -> None:
    problem, start = samples(PEAK, 6), starts(PEAK, 6)
    given = rules(problem, start, tolerance=0.0)
    found = fit(PEAK.graph, problem, start, given, damped, NumbaSolver)
    assert found.converged and found.steps_done.max() < 60
    assert (found.status == Status.ROUNDING).any()


@both
def test_trials_that_are_worse_are_refused(damped: bool) -> None:
    """Starts so far away that many a step is too long."""
    problem = samples(PEAK, 3)
    start = tensor([[0.2, 0.2, 0.3, 0], [0.2, 2.4, 0.3, 0], [0.1, 0.8, 0.1, 0.1]])
    given = rules(problem, start)
    found = fit(PEAK.graph, problem, start, given, damped, NumbaSolver)
    rss = found.trials.rss
    assert not (rss[1:] > rss[:-1]).any()
    assert (rss[1:] == rss[:-1]).sum() > 9
    expected = fit(PEAK.graph, problem, start, given, damped)
    assert_close(rss[:6], expected.trials.rss[:6], torch.float32)
    if damped:
        assert found.converged
        assert_near(found.rss, expected.rss, 1e-9)
        damping = found.trials.damping[:, 2].nan_to_num()
        assert damping.any() and damping[found.steps_done[2] - 1] == 0


@pytest.mark.sampled(1)
@both
def test_more_parameters_than_a_vector_has_lanes(damped: bool) -> None:
    problem = samples(MANY, 2)
    found = agree(MANY, problem, 2, damped)
    assert_near(found.parameters, by_curve_fit(MANY.graph, problem, starts(MANY, 2)), 1e-7)


def test_fewer_rows_than_parameters() -> None:
    problem = samples(PEAK, 2, count=2)
    found = fit(PEAK.graph, problem, starts(PEAK, 2), backend=NumbaSolver)
    assert found.converged
    assert found.rss.max() < 1e-20


@pytest.mark.sampled(2)
@both
@pytest.mark.parametrize(
    ("lower", "upper", "active"),
    [
        ([0, 0, 0, 0], [2.5, 9, 9, 9], 0),
        ([0, 0, 0.45, 0], [9, 9, 9, 9], 2),
        ([0, 0, 0, 0], [9, 1.1, 9, 9], 1),
    ],
)
def test_bounds_are_kept_and_the_optimum_is_scipys(
    lower: list[float], upper: list[float], active: int, damped: bool
) -> None:
    problem, start = samples(PEAK, 2), starts(PEAK, 2)
    given = bounded(rules(problem, start), lower, upper)
    found = fit(PEAK.graph, problem, start, given, damped, NumbaSolver)
    seen = found.trials.parameters
    assert not (seen < given.lower).any() and not (seen > given.upper).any()
    assert ((found.parameters == given.lower) | (found.parameters == given.upper))[:, active].all()
    assert found.converged
    inside = start.clamp(tensor(lower) + 1e-3, tensor(upper) - 1e-3)
    assert_near(found.parameters, by_scipy(PEAK.graph, problem, inside, lower, upper), 1e-6)


def test_a_start_on_a_bound_takes_the_steps_of_batched() -> None:
    """b starts at 0, its upper bound, and wants to rise."""
    problem = samples(PEAK, 2)
    found = agree(PEAK, problem, 2, change=lambda given: bounded(given, upper=[9.0, 9, 9, 0]))
    assert not found.parameters[:, 3].any()


@both
def test_fixed_parameters_do_not_move(damped: bool) -> None:
    def hold(given: Rules) -> Rules:
        given.free[1, 3] = given.free[2, 0] = False
        return given

    found = agree(PEAK, samples(PEAK, 3), 3, damped, hold)
    fixed = found.parameters == starts(PEAK, 3)
    assert fixed.nonzero().tolist() == [[1, 3], [2, 0]]


@both
@pytest.mark.parametrize("tolerance", [1e-14, 1.5e-8])
def test_a_huge_parameter_that_is_fixed_ends_no_fit(tolerance: float, damped: bool) -> None:
    """|p|, which xtol is relative to, is that of parameters that have moved."""
    problem, start, given, near = far_away(PEAK, "m", 3)
    loose = torch.full_like(given.xtol, tolerance)
    given = replace(given, xtol=loose, ftol=loose)
    found = fit(PEAK.graph, problem, start, given, damped, NumbaSolver)
    assert found.converged and found.steps_done.min() > 3
    assert (found.parameters[:, 1] == 1.7e9).all()
    here = start.clone()
    here[:, 1] = PEAK.truth[1]
    expected = fit(PEAK.graph, near, here, given, damped, NumbaSolver)
    assert (found.steps_done - expected.steps_done).abs().max() <= 3
    moved = [0, 2, 3]
    assert_near(found.parameters[:, moved], expected.parameters[:, moved], 1e-5)
    batched = fit(PEAK.graph, problem, start, given, damped)
    assert_near(found.parameters, batched.parameters, 1e-5)


def test_a_fixed_parameter_may_lie_outside_its_bounds() -> None:
    def hold(given: Rules) -> Rules:
        given.free[:, 0] = False
        return bounded(given, lower=[2.5, -9, -9, -9])

    found = agree(PEAK, samples(PEAK, 2), 2, change=hold)
    assert found.parameters[:, 0].equal(starts(PEAK, 2)[:, 0])


@both
@pytest.mark.parametrize("where", ["start", "targets"])
def test_a_start_that_is_not_finite_ends_alone(where: str, damped: bool) -> None:
    problem, start = samples(PEAK, 4), starts(PEAK, 4)
    clean = fit(PEAK.graph, problem, start, damped=damped, backend=NumbaSolver)
    size = problem.size
    (start if where == "start" else problem.targets[:, :, 0])[2, 1] = torch.nan
    dirty = fit(PEAK.graph, problem, start, replace(rules(problem, start), size=size), damped, NumbaSolver)
    assert Status(int(dirty.status[2])) is Status.NOT_FINITE and dirty.steps_done[2] == 0
    others = [0, 1, 3]
    for name in ("parameters", "status", "steps_done"):
        assert getattr(dirty, name)[others].equal(getattr(clean, name)[others])
    assert dirty.trials.rss[:, 2].isnan().all()


def test_a_derivative_that_is_not_finite_ends_a_fit_of_fewer_samples_than_parameters() -> None:
    tiny = 2e-309  # its reciprocal is infinite
    one = Problem(tensor([[0.0]]), tensor([[1.0]]))
    start = tensor([[2.0, 1.0, 0.6, 0.0], [2.0, -tiny, tiny, 0.0]])
    found = fit(PEAK.graph, one, start, rules(one, start), backend=NumbaSolver)
    assert [Status(code) is Status.NOT_FINITE for code in found.status.tolist()] == [False, True]


@both
def test_a_singular_jacobian_ends_gauss_newton_alone(damped: bool) -> None:
    """With h = 0 the peak has neither place nor width."""
    problem, start = samples(PEAK, 2), starts(PEAK, 2)
    start[:, 0] = 0
    given = rules(problem, start)
    given.free[:, 0] = False
    found = fit(PEAK.graph, problem, start, given, damped, NumbaSolver)
    assert found.converged if damped else found.status.tolist() == [Status.SINGULAR] * 2
    batched = fit(PEAK.graph, problem, start, given, damped)
    assert batched.converged if damped else batched.status.tolist() == [Status.SINGULAR] * 2


@both
def test_a_fit_ends_with_its_steps(damped: bool) -> None:
    problem, start = samples(PEAK, 3), starts(PEAK, 3)
    given = replace(rules(problem, start), steps=torch.tensor([1, 4, 200]))
    whole = fit(PEAK.graph, problem, start, given, damped, NumbaSolver)
    for slices in ((200,), (1,) * 60, (3, 7, 50)):
        found = fit(PEAK.graph, problem, start, given, damped, NumbaSolver, slices)
        assert found.status[:2].tolist() == [Status.EXHAUSTED] * 2
        assert found.steps_done[:2].tolist() == [1, 4] and found.steps_done[2] > 4
        assert found.trials.rss.isfinite().sum(0).equal(found.steps_done)
        assert found.parameters.equal(whole.parameters)


@both
@pytest.mark.parametrize("slices", [(1,) * 60, (3, 7, 50)])
@pytest.mark.parametrize("kind", [PEAK, TWO, MANY], ids=["peak", "two outputs", "many parameters"])
def test_cutting_a_fit_into_slices_changes_no_bit(kind: Kind, slices: tuple[int, ...], damped: bool) -> None:
    problem, start = samples(kind, 3), starts(kind, 3)
    whole = fit(kind.graph, problem, start, damped=damped, backend=NumbaSolver, slices=(60,))
    cut = fit(kind.graph, problem, start, damped=damped, backend=NumbaSolver, slices=slices)
    assert cut.status.equal(whole.status) and cut.steps_done.equal(whole.steps_done)
    assert cut.parameters.equal(whole.parameters)
    assert_same_trials(cut, whole)


@both
@pytest.mark.parametrize("own", ["inputs", "targets", "everything"])
@pytest.mark.parametrize("kind", [PEAK, TWO], ids=["peak", "two outputs"])
def test_when_some_fits_have_ended_the_others_go_on_as_before(kind: Kind, own: str, damped: bool) -> None:
    """Each run has its own bounds, fixed parameters and number of steps, and what `own` says."""
    problem, start = samples(kind, 6), starts(kind, 6)
    if own != "targets":
        shift = 0.01 * torch.arange(6, dtype=torch.float64)[:, None, None]
        problem = replace(problem, inputs=problem.inputs + shift)
    if own == "inputs":
        problem = replace(problem, targets=problem.targets[0], weights=weights(60))
    if own == "everything":
        problem = replace(problem, weights=weights(6, 60))
    given = replace(
        rules(problem, start), steps=torch.tensor([4, 200, 1, 200, 7, 200]), radius=tensor(range(1, 7))
    )
    given.free[1, 0] = given.free[4, 1] = False
    given.upper[3, 0] = start[3, 0] + 0.1
    whole = fit(kind.graph, problem, start, given, damped, NumbaSolver)
    fits = make(NumbaSolver, kind.graph, problem, start, given, damped)
    parts, sizes = [], []
    for count in (1, 1, 3, 1, 1, 2, 200):
        before, parameters, taken = fits.status.clone(), fits.parameters.clone(), fits.steps_done.clone()
        parts.append(fits.advance(count))
        running = before == Status.RUNNING
        runs = parts[-1].runs
        sizes.append(len(runs))
        assert runs.equal(running.nonzero()[:, 0]) and parts[-1].rss.shape == (count, len(runs))
        assert parts[-1].parameters[0].equal(parameters[runs])
        assert fits.parameters[~running].equal(parameters[~running])
        assert fits.steps_done[~running].equal(taken[~running]) and fits.status[~running].equal(
            before[~running]
        )
    assert sizes[:3] == [6, 5, 5] and 1 < sizes[3] < 5 and not (fits.status == Status.RUNNING).any()
    for name in ("parameters", "status", "steps_done"):
        assert getattr(fits, name).equal(getattr(whole, name))
    found = joined(parts, 6)
    longest = int(whole.steps_done.max())
    for name in TRIED:
        ours, theirs = getattr(found, name)[:longest], getattr(whole.trials, name)[:longest]
        assert torch.equal(ours.nan_to_num(-7), theirs.nan_to_num(-7))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("count", "first"), [(1, 0), (1, 63), (7, 0), (7, 30), (7, 57)])
def test_a_fit_is_the_same_to_the_bit_in_any_pack(count: int, first: int, weighted: bool) -> None:
    problem = replace(samples(PEAK, 64), weights=weights(64, 60) if weighted else None)
    start = tensor([PEAK.start]) * (1 + 0.002 * torch.arange(64, dtype=torch.float64))[:, None]
    own = torch.arange(first, first + count).flip(0)
    together = fit(PEAK.graph, problem, start, backend=NumbaSolver)
    alone = fit(PEAK.graph, problem.of(own), start[own], backend=NumbaSolver)
    for name in ("parameters", "status", "steps_done"):
        assert getattr(alone, name).equal(getattr(together, name)[own])


def test_trials_are_finite_while_a_fit_runs_and_nan_afterwards() -> None:
    problem, start = samples(PEAK, 3), starts(PEAK, 3)
    found = fit(PEAK.graph, problem, start, backend=NumbaSolver)
    trials = found.trials
    assert trials.parameters[0].equal(start)
    ended = torch.arange(200)[:, None] >= found.steps_done
    for part in (trials.rss, trials.gradient, trials.damping, trials.parameters[..., 0]):
        assert part.shape == (200, 3) and (part.isnan() == ended).all()


def test_parameters_are_changed_in_place() -> None:
    problem, start = samples(PEAK, 3), starts(PEAK, 3)
    given = start.clone()
    fits = NumbaSolver(PEAK.graph, problem, given, rules(problem, start), True)
    assert fits.parameters is given and given.equal(start)
    fits.advance(200)
    before = given.clone()
    assert not before.equal(start)
    trials = fits.advance(5)
    assert given.equal(before) and not len(trials.runs)
    assert trials.rss.shape == (5, 0) and trials.parameters.shape == (5, 0, 4)


@pytest.mark.parametrize("other", [lambda p: p.T.contiguous().T, lambda p: p.float()])
def test_parameters_that_cannot_be_changed_in_place_are_refused(other: Callable[[Tensor], Tensor]) -> None:
    problem, start = samples(PEAK, 3), starts(PEAK, 3)
    with pytest.raises(AssertionError):
        NumbaSolver(PEAK.graph, problem, other(start), rules(problem, start), True)


def test_samples_may_have_any_layout() -> None:
    problem, start = replace(samples(PEAK, 3), weights=weights(3, 60)), starts(PEAK, 3)
    assert problem.weights is not None
    inputs, targets = torch.stack([problem.inputs] * 2)[0], problem.targets.mT.contiguous().mT
    other = Problem(
        inputs, targets.transpose(0, 1).contiguous().transpose(0, 1), problem.weights.T.contiguous().T
    )
    one, two = (fit(PEAK.graph, each, start, backend=NumbaSolver) for each in (problem, other))
    assert one.parameters.equal(two.parameters)


NO_END = dict.fromkeys(
    ["orthogonal", "flat", "rounded", "short", "singular", "contradicted", "hidden"], False
) | {"improved": True, "finite": True, "minimum": True}  # fmt: skip


@pytest.mark.parametrize(
    ("holds", "fails", "expected"),
    [
        ("", "", Status.RUNNING),
        ("orthogonal", "", Status.GRADIENT),
        ("orthogonal", "minimum", Status.RUNNING),
        ("singular flat", "", Status.SINGULAR),
        ("flat", "", Status.COST),
        ("flat contradicted", "", Status.RUNNING),
        ("flat", "minimum", Status.RUNNING),
        ("rounded", "improved", Status.ROUNDING),
        ("rounded contradicted", "improved", Status.RUNNING),
        ("rounded", "improved minimum", Status.RUNNING),
        ("short", "", Status.STEP),
        ("short", "minimum", Status.RUNNING),
        ("short contradicted", "improved", Status.STEP),
        ("short", "improved finite", Status.STEP),
        ("short contradicted", "improved finite", Status.STUCK),
        ("short contradicted", "improved minimum", Status.STUCK),
        ("short contradicted hidden", "improved minimum", Status.HIDDEN),
        ("short contradicted hidden", "improved minimum finite", Status.STUCK),
    ],
)
def test_the_criteria(holds: str, fails: str, expected: Status) -> None:
    given = NO_END | dict.fromkeys(holds.split(), True) | dict.fromkeys(fails.split(), False)
    assert Status(numba_criteria.judge.py_func(**given)) is expected


@pytest.mark.parametrize(
    ("attainable", "ftol", "gtol", "expected"),
    [
        (0.99e-4, 0, 0, True),  # a cosine of 1e-3
        (1.01e-4, 0, 0, False),
        (0.99e-2, 1e-6, 0, True),  # FAR times ftol
        (1.01e-2, 1e-6, 0, False),
        (0.99e-2, 0, 1e-2, True),
        (1.01e-2, 0, 1e-2, False),
        (0.99, 1, 1, True),  # a cosine of 0.1 is never small
        (1.01, 1, 1, False),
    ],
)
def test_what_counts_as_a_minimum(attainable: float, ftol: float, gtol: float, expected: bool) -> None:
    """The sum of squares is 100."""
    assert (attainable <= numba_criteria.largest_allowed.py_func(100.0, 1e-9, ftol, gtol)) is expected


def test_a_parameter_without_a_slope_stays_where_it_is() -> None:
    graph = parse("xy = where(x < b, c, d)")
    x = torch.linspace(0, 5, 6, dtype=torch.float64)[:, None]
    problem = Problem(x, torch.where(x < 3.2, 1.02, 2.1) + 0.01 * x.sin())
    start = torch.tensor([[3.2, 0.3, 0.7]], dtype=torch.float64)
    solver = NumbaSolver(graph, problem, start.clone(), Rules.unbounded(problem, start), damped=True)
    solver.advance(50)
    assert (
        solver.parameters[0, 0] == 3.2
        and (solver.parameters[0, 1:] - torch.tensor([1, 2.1])).abs().max() < 0.1
    )
