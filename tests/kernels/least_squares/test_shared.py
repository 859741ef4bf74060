"""Joint fits of groups that share parameters, against one dense fit, and against scipy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common.segments import Segments
from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import CONVERGED, Problem, Rules, Status, TorchSolver, Trials
from packtrain.kernels.least_squares.inference import infer
from packtrain.kernels.least_squares.shared import SharedSolver
from tests.kernels.least_squares.fits import KINDS, TRIED, Kind, bounded, rules, tensor
from tests.kernels.least_squares.shared_fits import DECAY, Dense, made_up, shared_of
from tests.thorough import examples


def solver(
    kind: Kind,
    problem: Problem,
    shared: list[bool],
    given: Rules | None = None,
    joint: Tensor | None = None,
    damped: bool = True,
) -> SharedSolver:
    """The fits of all groups, before their first step; one joint fit unless told."""
    assert problem.segments is not None
    groups = len(problem.segments)
    start = tensor([kind.start]).repeat(groups, 1)
    joint = torch.zeros(groups, dtype=torch.int64) if joint is None else joint
    own = given or rules(problem, start)
    return SharedSolver(kind.graph, problem, start, own, damped, torch.tensor(shared), joint)


def standard_errors(fits: SharedSolver) -> tuple[Tensor, Tensor]:
    """The standard errors [R, P] of one joint fit, and which parameters are undetermined."""
    inside = (fits.rules.lower < fits.parameters) & (fits.parameters < fits.rules.upper)
    _, linear = next(fits.solutions())
    inference = infer(linear.root, fits.rules.free & inside)
    used = linear.rss.isfinite()
    assert fits.places is not None
    rank = int((inference.rank - fits.shared_rank)[used].sum()) + int(fits.shared_rank.max())
    freedom = int(fits.places[used, 3].sum()) - rank
    variance = float(linear.rss[used].sum()) / freedom
    return (variance * inference.unscaled.diagonal(dim1=1, dim2=2)).sqrt(), inference.undetermined


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["exponential decay", "gaussian peak", "sine", "power law", "Arrhenius"])
def test_steps_are_those_of_one_dense_fit(name: str) -> None:
    kind = KINDS[name]
    shared = shared_of(kind)
    problem = made_up(kind, shared, counts=[30, 7, 12, 30])
    fits = solver(kind, problem, shared)
    start = fits.parameters.clone()
    dense = Dense(kind.graph, problem, torch.tensor(shared))
    whole = Problem(problem.inputs, problem.targets)
    first = dense.unknowns(start)[None]
    reference = TorchSolver(dense.model, whole, first, dense.rules(fits.rules), damped=True)
    trials, expected = fits.advance(200), reference.advance(200)
    made = min(int(fits.steps_done[0]), int(reference.steps_done[0]))
    assert made > 3 and set(fits.status.tolist()) <= set(CONVERGED)
    torch.testing.assert_close(trials.rss[:made].sum(1), expected.rss[:made, 0], rtol=1e-9, atol=0)
    torch.testing.assert_close(trials.damping[:made, 0], expected.damping[:made, 0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        fits.parameters, dense.of_groups(reference.parameters[0]), rtol=1e-7, atol=1e-9
    )


@settings(max_examples=examples(8), deadline=None)
@given(
    st.sampled_from([kind for kind in KINDS.values() if len(kind.start) < 5]),
    st.lists(st.integers(8, 40), min_size=2, max_size=20),
    st.integers(0, 999),
    st.booleans(),
)
def test_parameters_and_standard_errors_are_scipys(
    kind: Kind, counts: list[int], seed: int, weighted: bool
) -> None:
    shared = shared_of(kind)
    problem = made_up(kind, shared, counts, seed)
    if weighted:
        weights = torch.rand(len(problem.inputs), generator=torch.Generator().manual_seed(seed)).double()
        problem = replace(problem, weights=weights + 0.1)
    fits = solver(kind, problem, shared)
    start = fits.parameters.clone()
    fits.advance(200)
    limits = fits.rules.free, fits.rules.lower, fits.rules.upper
    best, errors = Dense(kind.graph, problem, torch.tensor(shared)).by_scipy(start, *limits)
    assert set(fits.status.tolist()) <= set(CONVERGED)
    torch.testing.assert_close(fits.parameters, best, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(standard_errors(fits)[0], errors, rtol=1e-6, atol=1e-10)


def test_twenty_groups_and_two_shared_parameters_are_scipys_to_8_digits() -> None:
    kind = KINDS["sine"]
    shared = [False, True, False, True]
    problem = made_up(kind, shared, counts=[25] * 20)
    fits = solver(kind, problem, shared)
    start = fits.parameters.clone()
    fits.advance(200)
    limits = fits.rules.free, fits.rules.lower, fits.rules.upper
    best, errors = Dense(kind.graph, problem, torch.tensor(shared)).by_scipy(start, *limits)
    torch.testing.assert_close(fits.parameters, best, rtol=1e-8, atol=0)
    torch.testing.assert_close(standard_errors(fits)[0], errors, rtol=1e-8, atol=0)


@pytest.mark.parametrize("damped", [True, False])
def test_bounds_and_fixed_parameters_are_kept(damped: bool) -> None:
    kind = KINDS["logistic"]
    shared = [False, True, False]
    problem = made_up(kind, shared, counts=[40] * 5)
    limits = bounded(rules(problem, tensor([kind.start]).repeat(5, 1)), upper=[4.9, 1.9, torch.inf])
    limits.free[2, 2] = False
    fits = solver(kind, problem, shared, limits, damped=damped)
    start = fits.parameters.clone()
    fits.advance(200)
    given = limits.free, limits.lower, limits.upper
    best, _ = Dense(kind.graph, problem, torch.tensor(shared)).by_scipy(start, *given)
    assert set(fits.status.tolist()) <= set(CONVERGED)
    torch.testing.assert_close(fits.parameters, best, rtol=1e-6, atol=0)
    assert float(fits.parameters[0, 1]) == 1.9 and float(fits.parameters[2, 2]) == float(start[2, 2])


@pytest.mark.parametrize("groups", [1, 3, 17, 40])
def test_bits_depend_on_no_other_joint_fit_and_no_thread(groups: int) -> None:
    shared = [False, True]
    problem = made_up(DECAY, shared, counts=[9 + place % 5 for place in range(2 * groups)])
    joint = torch.arange(2 * groups) % 2
    both = solver(DECAY, problem, shared, joint=joint)
    trials = both.advance(200)
    own = torch.arange(1, 2 * groups, 2)
    alone = solver(DECAY, problem.of(own), shared)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        parts = [alone.advance(2) for _ in range(30)]
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(both.parameters[own], alone.parameters)
    assert len(both.parameters[own, 1].unique()) == 1
    made = int(alone.steps_done[0])
    assert torch.equal(both.steps_done[own], alone.steps_done) and made > 3
    for name in TRIED[:3]:
        whole = torch.cat([getattr(part, name) for part in parts if len(part.runs)])[:made]
        assert torch.equal(getattr(trials, name)[:made, own], whole), name
    assert torch.equal(standard_errors(both)[1][own], standard_errors(alone)[1])
    assert torch.equal(next(both.solutions())[1].root[own], next(alone.solutions())[1].root)


def test_a_group_that_is_not_finite_is_left_out() -> None:
    shared = [False, True]
    problem = made_up(DECAY, shared, counts=[20, 20, 20])
    targets = problem.targets.clone()
    targets[25] = torch.nan
    fits = solver(DECAY, replace(problem, targets=targets), shared, rules(problem, torch.ones(3, 2)))
    fits.advance(200)
    others = solver(DECAY, problem.of(torch.tensor([0, 2])), shared)
    others.advance(200)
    assert fits.status.tolist() == [others.status[0], Status.NOT_FINITE, others.status[1]]
    assert torch.equal(fits.parameters[[0, 2]], others.parameters)
    assert fits.parameters[1].tolist() == list(DECAY.start)
    _, linear = next(fits.solutions())
    assert linear.rss.isfinite().tolist() == [True, False, True]


def test_all_parameters_shared_are_one_fit_of_all_samples() -> None:
    problem = made_up(DECAY, [True, True], counts=[20, 30])
    fits = solver(DECAY, problem, [True, True])
    start = fits.parameters.clone()
    fits.advance(200)
    limits = fits.rules.free, fits.rules.lower, fits.rules.upper
    best, errors = Dense(DECAY.graph, problem, torch.tensor([True, True])).by_scipy(start, *limits)
    torch.testing.assert_close(fits.parameters, best, rtol=1e-8, atol=0)
    torch.testing.assert_close(standard_errors(fits)[0], errors, rtol=1e-7, atol=0)


def test_what_no_group_determines_is_undetermined_and_nothing_else() -> None:
    # in the second group x is 0 throughout, so that it says nothing of its own a, and of b only 2 b + c
    kind = Kind("xy = a*x + b + c*xw", (2, 1, 3), (1, 1, 1), 0, 1)
    x = torch.linspace(0, 1, 12, dtype=torch.float64)
    inputs = torch.stack([torch.cat([x, 0 * x]), torch.cat([x**2, 1 + 0 * x])], 1)
    noise = 0.01 * torch.sin(9 * torch.arange(24).double())[:, None]
    targets = 2 * inputs[:, :1] + 1 + 3 * inputs[:, 1:] + noise
    problem = replace(made_up(DECAY, [False] * 2, [12, 12]), inputs=inputs, targets=targets)
    names = kind.graph.parameters
    fits = solver(kind, problem, [name == "c" for name in names])
    fits.advance(200)
    errors, undetermined = standard_errors(fits)
    assert set(fits.status.tolist()) <= set(CONVERGED)
    assert {(row, names[k]) for row, k in undetermined.nonzero().tolist()} == {(1, "a")}
    assert bool((errors[0] > 0).all()) and int(fits.shared_rank[0]) == 1


def test_dependent_parameters_of_a_group_leave_the_others_what_they_are() -> None:
    graph = parse("xy = a*x + b*xv + c*xw")  # in the second group xv is 0.3 x: only a + 0.3 b is determined
    names = graph.parameters
    draw = np.random.default_rng(5)
    x, w = draw.normal(size=(2, 24))
    v = np.concatenate([draw.normal(size=12), 0.3 * x[12:]])
    columns = {"x": x, "xv": v, "xw": w}
    inputs = torch.from_numpy(np.stack([columns[name] for name in graph.inputs], 1))
    targets = torch.from_numpy(2 * x + v + 3 * w + draw.normal(0, 0.1, 24))[:, None]
    problem = Problem(inputs, targets, segments=Segments.after_another(torch.tensor([12, 12])))
    start = torch.ones(2, 3, dtype=torch.float64)
    shared = torch.tensor([name == "c" for name in names])
    given = rules(problem, start)
    fits = SharedSolver(graph, problem, start, given, True, shared, torch.zeros(2, dtype=torch.int64))
    fits.advance(200)
    errors, undetermined = standard_errors(fits)
    assert {(row, names[k]) for row, k in undetermined.nonzero().tolist()} == {(1, "a"), (1, "b")}
    first, second = slice(12), slice(12, 24)
    design = np.zeros((24, 4))  # a and b of the first, a + 0.3 b of the second, and c
    design[first, 0], design[first, 1], design[second, 2], design[:, 3] = x[first], v[first], x[second], w
    best, (rss,), _, _ = np.linalg.lstsq(design, targets[:, 0].numpy(), rcond=None)
    expected = np.sqrt(rss / 20 * np.diag(np.linalg.inv(design.T @ design)))
    place = [names.index(name) for name in "abc"]
    np.testing.assert_allclose(errors[0, place].numpy(), expected[[0, 1, 3]], rtol=1e-9)
    np.testing.assert_allclose(errors[1, place[2]].item(), expected[3], rtol=1e-9)
    np.testing.assert_allclose(fits.parameters[0, place].numpy(), best[[0, 1, 3]], rtol=1e-7)


def test_a_shared_parameter_that_nothing_determines() -> None:
    graph = parse("xy = a*x + b + c")
    shared = torch.tensor([name == "c" for name in graph.parameters])
    problem = made_up(Kind("xy = a*x + b", (2, 1), (1, 1), 0, 1), [False, False], [9, 9])
    start = tensor([[1.0, 1.0, 1.0]]).repeat(2, 1)
    fits = SharedSolver(graph, problem, start, rules(problem, start), True, shared, torch.zeros(2).long())
    fits.advance(200)
    _, undetermined = standard_errors(fits)
    assert undetermined.tolist() == [[name != "a" for name in graph.parameters]] * 2
    assert int(fits.shared_rank[0]) == 0


def test_fits_go_on_where_their_memory_was_kept() -> None:
    shared = shared_of(KINDS["gaussian peak"])
    problem = made_up(KINDS["gaussian peak"], shared, counts=[30] * 20)
    whole, first, second = (solver(KINDS["gaussian peak"], problem, shared) for _ in range(3))
    whole.advance(200)
    first.advance(3)
    for name, part in second.memory.items():
        part.copy_(first.memory[name])
    second.advance(200)
    assert torch.equal(second.parameters, whole.parameters)
    assert torch.equal(second.steps_done, whole.steps_done)


def test_trials_are_of_running_fits_only() -> None:
    problem = made_up(DECAY, [False, True], counts=[20, 20])
    fits = solver(DECAY, problem, [False, True])
    fits.advance(200)
    after: Trials = fits.advance(2)
    assert len(after.runs) == 0 and after.rss.shape == (2, 0)


def test_fits_end_at_their_most_steps() -> None:
    problem = made_up(DECAY, [False, True], counts=[20, 20])
    limits = rules(problem, torch.ones(2, 2), steps=2)
    fits = solver(DECAY, problem, [False, True], limits)
    fits.advance(9)
    assert fits.status.tolist() == [Status.EXHAUSTED] * 2 and fits.steps_done.tolist() == [2, 2]
