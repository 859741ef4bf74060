"""One iteration at a time; test_torch_solver has fits from start to end."""

import math
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from torch import Tensor

from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.least_squares import Problem, Rules, Status
from packtrain.kernels.least_squares.fits import Fits
from packtrain.kernels.least_squares.linearize import linearize
from packtrain.kernels.least_squares.method import FAR
from packtrain.kernels.least_squares.problem import Linear
from packtrain.kernels.least_squares.reference import iterate
from tests.helpers import assert_close
from tests.kernels.least_squares.fits import KINDS, bounded, rules, samples, starts, tensor

LINE = parse("xy = a*x + b")
DECAY = KINDS["exponential decay"]

both = pytest.mark.parametrize("damped", [True, False], ids=["LM", "GN"])


class One:
    """Fits that iterate one trial step at a time; `trials` are their parameters."""

    def __init__(
        self, graph: Graph, problem: Problem, start: Tensor, given: Rules | None = None, damped: bool = True
    ) -> None:
        self.model, self.problem, self.damped = partial(jacobian, graph), problem, damped
        self.rules = given or rules(problem, start)
        self.trials: list[Tensor] = []
        self.fits = Fits.start(start, linearize(self.model, start, problem), self.rules, damped)

    def evaluate(self, parameters: Tensor) -> Linear:
        self.trials.append(parameters)
        return linearize(self.model, parameters, self.problem)

    def step(self) -> Fits:
        self.fits = iterate(self.fits, self.rules, self.damped, self.evaluate)
        return self.fits


def line(runs: int = 3) -> tuple[Problem, Tensor]:
    """Targets [R, N, 1] that no line meets, and the best line's a and b."""
    inputs = torch.linspace(-1, 2, 9, dtype=torch.float64)[:, None]
    targets = torch.stack([torch.sin(k * inputs) + k for k in range(1, runs + 1)])
    design = torch.cat([inputs, torch.ones_like(inputs)], 1)
    return Problem(inputs, targets), torch.linalg.lstsq(design.expand(runs, -1, -1), targets).solution[..., 0]


def near(runs: int) -> Tensor:
    return tensor([[0.7, 0.2]]).repeat(runs, 1)


@both
def test_a_linear_problem_is_solved_by_one_step(damped: bool) -> None:
    problem, best = line()
    one = One(LINE, problem, near(3), damped=damped)
    assert_close(one.step().parameters, best)
    assert one.step().status.tolist() == [Status.GRADIENT] * 3 or one.step().status.min() > Status.RUNNING
    assert_close(one.fits.parameters, best)


def test_a_fit_that_has_ended_changes_no_more() -> None:
    problem, start = samples(DECAY, 5), starts(DECAY, 5)
    one = One(
        DECAY.graph, problem, start, replace(rules(problem, start), radius=torch.full_like(start[:, 0], 0.1))
    )
    for _ in range(3):
        one.step()
    ended = torch.tensor([True, False, True, False, False])
    before = one.fits
    before.status = before.status.masked_fill(ended, Status.EXHAUSTED)
    after = one.step()
    for name in (field.name for field in fields(before)):
        assert getattr(after, name)[ended].equal(getattr(before, name)[ended]), name
    assert not (after.parameters == before.parameters)[~ended].any()


def test_the_first_radius_is_a_multiple_of_the_scaled_start() -> None:
    problem, _ = line()
    given = replace(rules(problem, near(3)), radius=tensor([0.1, 1, 100]))
    one = One(LINE, problem, near(3), given)
    slopes = torch.cat([problem.inputs, torch.ones_like(problem.inputs)], 1)
    reach = (slopes.norm(dim=0) * near(1)[0]).norm()
    assert_close(one.fits.radius, tensor([0.1, 1, 100]) * reach)
    assert_close(one.fits.scale, slopes.norm(dim=0).expand(3, 2))


@pytest.mark.parametrize("start", [0.0, 1e-20])
def test_the_first_radius_from_near_zero_goes_by_the_targets(start: float) -> None:
    problem, _ = line()
    found = One(LINE, problem, torch.full_like(near(3), start)).fits.radius
    assert_close(found, (100 * 1e-3 * problem.size).expand(3))


def test_the_first_radius_from_zero_to_zero_is_radius_itself() -> None:
    problem, _ = line()
    nothing = replace(problem, targets=torch.zeros_like(problem.targets))
    assert One(LINE, nothing, torch.zeros_like(near(3))).fits.radius.tolist() == [100] * 3


def test_a_damped_step_is_as_long_as_the_radius_and_solves_the_damped_equations() -> None:
    problem, _ = line()
    given = replace(rules(problem, near(3)), radius=tensor([0.01, 0.05, 0.2]))
    one = One(LINE, problem, near(3), given)
    before = one.fits
    after = one.step()
    step = one.trials[0] - before.parameters
    assert ((after.scale * step).norm(dim=1) / before.radius - 1).abs().max() <= 0.1
    assert (after.damping > 0).all()
    gram = before.root.mT @ before.root + torch.diag_embed(after.damping[:, None] * after.scale**2)
    assert_close((gram @ step[..., None])[..., 0], -before.gradient)


def test_an_undamped_step_is_cut_to_the_radius() -> None:
    problem, best = line()
    one = One(LINE, problem, near(3), damped=False)
    reach = (one.fits.scale * (best - near(3))).norm(dim=1)
    one.fits.radius = reach * tensor([0.25, 1.0, 4.0])
    share = tensor([0.25, 1.0, 1.0])[:, None]
    assert_close(one.step().parameters, near(3) + share * (best - near(3)))
    assert one.fits.damping.tolist() == [0] * 3


def test_scale_is_the_largest_norm_so_far() -> None:
    one = One(DECAY.graph, samples(DECAY, 2), starts(DECAY, 2))
    largest = one.fits.root.norm(dim=1)
    for _ in range(5):
        largest = torch.maximum(largest, one.fits.root.norm(dim=1))
        assert_close(one.step().scale, largest)


def stand(rss: float, root: float = 1.0, projected: float = 1.0, **others: object) -> Fits:
    """One fit of one parameter at 0, whose model is (root s + projected)^2 + a constant."""
    fits = Fits(
        parameters=tensor([[0.0]]),
        rss=tensor([rss]),
        root=tensor([[[root]]]),
        projected=tensor([[projected]]),
        scale=tensor([[abs(root)]]),
        radius=tensor([100.0]),
        damping=tensor([0.0]),
        status=torch.zeros(1, dtype=torch.int64),
    )
    return replace(fits, **others)  # type: ignore[arg-type]


def near_its_end() -> Fits:
    """One whose step is short, and predicts a reduction by a hundred-millionth of the sum of squares."""
    return stand(1.0, projected=1e-4, parameters=tensor([[1e6]]))


def plain(tolerance: float = 0.0) -> Rules:
    """The rules of one fit of one parameter; |t| is 1."""
    one = tensor([[0.0]])
    problem = Problem(torch.zeros(1, 1), torch.ones(1, 1))
    return rules(problem, one, tolerance)


def linear_at(rss: float) -> Linear:
    return Linear(tensor([rss]), tensor([[[1.0]]]), tensor([[0.5]]))


def tried(fits: Fits, there: float, given: Rules | None = None, damped: bool = True) -> Fits:
    """One iteration that finds the sum of squares `there`."""
    return iterate(fits, given or plain(), damped, lambda _: linear_at(there))


@both
@pytest.mark.parametrize("there", [1.0, 2.0, torch.inf])
def test_a_trial_that_is_not_better_is_not_taken(there: float, damped: bool) -> None:
    """At s = -1 the model predicts rss 0 from 1."""
    found = tried(stand(1.0), there, damped=damped)
    assert found.parameters.item() == 0 and found.rss.item() == 1 and found.projected.item() == 1
    assert found.status.item() == Status.RUNNING
    assert found.radius.item() < 10


@both
def test_a_trial_that_is_better_is_taken_with_its_linear_problem(damped: bool) -> None:
    found = tried(stand(1.0), 0.9, damped=damped)
    assert found.parameters.item() == -1 and found.rss.item() == 0.9
    assert found.projected.item() == 0.5 and found.root.item() == 1


@pytest.mark.parametrize(
    ("there", "radius", "expected"),
    [
        (0.05, 100.0, 2.0),  # as predicted: twice the step
        (0.5, 100.0, 2.0),  # half of it, undamped
        (0.8, 100.0, 50.0 / 10),  # a fifth: half of 10 times the step at most
        (0.8, 2.0, 1.0),  # a fifth: half the radius
        (1.0, 2.0, 1.0),
        (3.0, 100.0, 10 * 0.5 / 2),  # worse: to the parabola's minimum, 0.5 / (1 + 2 / 2)
        (50.0, 100.0, 1.0),  # much worse: a tenth
        (torch.inf, 100.0, 1.0),
    ],
)
def test_the_radius_follows_the_trial(there: float, radius: float, expected: float) -> None:
    assert tried(stand(1.0, radius=tensor([radius])), there).radius.item() == pytest.approx(expected)


@pytest.mark.parametrize(("there", "expected"), [(0.6, 0.5), (0.01, None), (0.9, 0.25)])
def test_the_radius_of_a_damped_step(there: float, expected: float | None) -> None:
    """A step cut to 0.5 predicts 1 - 0.25: half of that keeps the radius, most of it doubles the step."""
    found = tried(stand(1.0, radius=tensor([0.5])), there)
    assert found.damping.item() > 0
    length = found.parameters.abs().item()
    assert length == pytest.approx(0.5, rel=0.1)
    assert found.radius.item() == pytest.approx(2 * length if expected is None else expected)


def test_gauss_newton_forgets_its_radius_when_it_succeeds() -> None:
    assert tried(stand(1.0, radius=tensor([0.5])), 0.9, damped=False).radius.item() == torch.inf
    assert tried(stand(1.0, radius=tensor([0.5])), 1.5, damped=False).radius.item() < 0.5


def test_the_damping_is_zero_again_when_the_step_fits() -> None:
    found = tried(stand(1.0, damping=tensor([5.0])), 0.9)
    assert found.damping.item() == 0 and found.parameters.item() == -1


@pytest.mark.parametrize(
    ("fits", "there", "given", "status"),
    [
        (stand(1.0, projected=0.0), 1.0, plain(), Status.GRADIENT),
        (stand(1e4, projected=1.0), 1e4 - 0.5, replace(plain(), gtol=tensor([0.011])), Status.GRADIENT),
        (stand(1e4, projected=1.0), 1e4 - 0.5, replace(plain(), gtol=tensor([0.009])), Status.RUNNING),
        (stand(1e4, projected=1.0), 1e4 - 1.0, replace(plain(), ftol=tensor([1.1e-4])), Status.COST),
        (stand(1e4, projected=1.0), 1e4 - 1.0, replace(plain(), ftol=tensor([0.9e-4])), Status.RUNNING),
        (stand(1e4, projected=0.1), 1e4 - 0.5, replace(plain(), ftol=tensor([1e-4])), Status.RUNNING),
        (stand(1.0, projected=1e-8), 1.0, plain(), Status.ROUNDING),
        (stand(1.0, projected=1e-8), 1.0 - 1e-15, plain(), Status.RUNNING),
        (stand(1.0, projected=1e-7), 1.0, plain(), Status.RUNNING),
        (near_its_end(), 1 - 1e-9, replace(plain(), xtol=tensor([1.1e-10])), Status.STEP),
        (near_its_end(), 1 - 1e-9, replace(plain(), xtol=tensor([9e-11])), Status.RUNNING),
        (near_its_end(), 2.0, replace(plain(), xtol=tensor([1.1e-10])), Status.STEP),
        (near_its_end(), math.inf, replace(plain(), xtol=tensor([1.1e-10])), Status.STUCK),
        (stand(1.0, parameters=tensor([[1e6]])), 0.5, replace(plain(), xtol=tensor([1e-5])), Status.RUNNING),
        (stand(1e4, projected=40), 1e4 - 1, replace(plain(), ftol=tensor([1.0])), Status.RUNNING),
        (stand(1.0, parameters=tensor([[1e6]])), 2.0, replace(plain(), xtol=tensor([1.1e-6])), Status.STUCK),
        (
            stand(1e-20, projected=1e-10, parameters=tensor([[1.0]])),
            2.0,
            replace(plain(), xtol=tensor([1e-9]), size=tensor([1e4])),
            Status.STEP,
        ),
    ],
)  # fmt: skip
def test_each_criterion(fits: Fits, there: float, given: Rules, status: Status) -> None:
    assert Status(int(tried(fits, there, given).status)) is status


@pytest.mark.parametrize(("projected", "status"), [(0.99, Status.COST), (1.01, Status.RUNNING)])
def test_a_cut_step_is_no_end_where_far_more_is_attainable(projected: float, status: Status) -> None:
    """The bound cuts the step to 1e-5, which predicts 2e-5 of the 1e-2 that ftol lets pass; see FAR."""
    given = bounded(replace(plain(), ftol=tensor([1e-6])), lower=-1e-5)
    fits = stand(1e4, projected=projected)
    assert Status(int(tried(fits, 1e4 - 2e-5, given).status)) is status


@pytest.mark.parametrize(
    ("times", "cut", "whole"), [(0.99, Status.ROUNDING, Status.STEP), (1.01, Status.RUNNING, Status.STUCK)]
)
def test_rounding_is_no_end_where_far_more_is_attainable(times: float, cut: Status, whole: Status) -> None:
    """The rounding error of rss = 1 is 5 eps, above the predicted reduction of a step cut to 1e-11."""
    projected = times * (FAR * 5 * torch.finfo(torch.float64).eps) ** 0.5
    given = bounded(plain(), lower=-1e-11)
    assert Status(int(tried(stand(1.0, projected=projected), 1.0, given).status)) is cut
    fits = stand(1.0, projected=projected, parameters=tensor([[1e3]]))
    assert Status(int(tried(fits, math.inf, replace(plain(), xtol=tensor([1.0]))).status)) is whole


def test_a_fixed_parameter_counts_for_nothing_in_the_reach_of_the_others() -> None:
    def ended(value: float, free: bool) -> Status:
        fits = replace(
            stand(1.0),
            parameters=tensor([[value, 1.0]]),
            root=tensor([[[1.0, 0.0], [0.0, 1.0]]]),
            projected=tensor([[0.0, 1e-3]]),
            scale=tensor([[float(free), 1.0]]),
        )
        given = rules(Problem(torch.zeros(1, 1), torch.ones(1, 1)), fits.parameters, 0.0)
        given.free[0, 0] = free
        linear = Linear(tensor([1 - 1e-6]), fits.root, tensor([[0.0, 1e-4]]))
        given = replace(given, xtol=tensor([1e-8]))
        return Status(int(iterate(fits, given, True, lambda _: linear).status))

    assert ended(1.7e9, True) is Status.STEP
    assert ended(1.7e9, False) is ended(0.0, False) is Status.RUNNING


def test_a_step_that_changes_neither_cost_nor_model_is_taken_if_it_is_better() -> None:
    found = tried(stand(1.0, projected=1e-3), 1 - 1e-6, replace(plain(), ftol=tensor([1e-5])))
    assert found.status.item() == Status.COST and found.parameters.item() == pytest.approx(-1e-3)


def test_where_the_gradient_is_zero_nothing_moves() -> None:
    found = tried(stand(1.0, projected=1e-9), 0.5, replace(plain(), gtol=tensor([1e-8])))
    assert found.status.item() == Status.GRADIENT and found.parameters.item() == 0


def test_a_singular_problem_ends_gauss_newton_and_not_levenberg_marquardt() -> None:
    fits = stand(2.0)
    fits = replace(
        fits,
        parameters=tensor([[1.0, 1.0]]),
        root=tensor([[[1.0, 1.0], [0.0, 1e-17]]]),
        projected=tensor([[1.0, 0.0]]),
        scale=tensor([[1.0, 1.0]]),
    )
    given = rules(Problem(torch.zeros(1, 1), torch.ones(1, 1)), fits.parameters, 0.0)

    def evaluate(_: Tensor) -> Linear:
        return Linear(tensor([1.5]), fits.root, fits.projected)

    assert iterate(fits, given, False, evaluate).status.item() == Status.SINGULAR
    damped = iterate(fits, given, True, evaluate)
    assert damped.status.item() == Status.RUNNING and damped.parameters.isfinite().all()
    regular = replace(fits, root=tensor([[[1.0, 1.0], [0.0, 1e-12]]]))
    assert iterate(regular, given, False, evaluate).status.item() == Status.RUNNING


@both
def test_a_fit_that_has_ended_stays_as_it_is(damped: bool) -> None:
    problem, _ = line()
    one = One(LINE, problem, near(3), damped=damped)
    one.fits.status[1] = Status.STEP
    before = one.fits.of(torch.tensor([1]))
    after = one.step().of(torch.tensor([1]))
    assert all(getattr(after, f.name).equal(getattr(before, f.name)) for f in fields(Fits))
    assert (one.fits.parameters != near(3)).any(1).tolist() == [True, False, True]


@both
def test_a_parameter_that_does_not_move_stays_exactly(damped: bool) -> None:
    problem, _ = line()
    given = rules(problem, near(3))
    given.free[1, 0] = given.free[2, 1] = False
    one = One(LINE, problem, near(3), given, damped)
    found = near(3)
    for _ in range(3):
        found = one.step().parameters
        assert found[1, 0] == 0.7 and found[2, 1] == 0.2
    rest = problem.targets[1] - 0.7 * problem.inputs
    assert_close(found[1, 1], rest.mean())
    free = problem.targets[2] - 0.2
    assert_close(found[2, 0], (free * problem.inputs).sum() / problem.inputs.square().sum())


@both
def test_a_parameter_that_does_not_move_may_lie_outside_its_bounds(damped: bool) -> None:
    problem, _ = line()
    given = bounded(rules(problem, near(3)), lower=[[1.0, -9.0]])
    given.free[:, 0] = False
    one = One(LINE, problem, near(3), given, damped)
    assert (one.step().parameters[:, 0] == 0.7).all()


@both
def test_trials_are_projected_on_the_bounds(damped: bool) -> None:
    problem, best = line()
    one = One(LINE, problem, near(3), bounded(rules(problem, near(3)), upper=[[9.0, 0.9]]), damped)
    assert (best[:, 1] > 0.9).all()
    one.step()
    assert (one.trials[0][:, 1] == 0.9).all()
    for _ in range(20):
        one.step()
    held = problem.targets[..., 0] - 0.9
    expected = (held * problem.inputs[:, 0]).sum(1) / problem.inputs.square().sum()
    assert_close(one.fits.parameters[:, 0], expected)
    assert (one.fits.status == Status.GRADIENT).all()


def test_a_parameter_leaves_its_bound_when_the_gradient_points_inwards() -> None:
    """At first a is held at 0.7, which is too large only when b has risen from its bound."""
    problem, best = line()
    assert (best[:, 0] < 0.7).all()
    start = near(3)
    one = One(LINE, problem, start, bounded(rules(problem, start), lower=[[-9.0, 0.2]], upper=[[0.7, 9.0]]))
    first = one.step().parameters
    assert (first[:, 0] == 0.7).all() and (first[:, 1] > 0.2).all()
    one.step()
    assert_close(one.step().parameters, best)


def test_join_of_and_put_are_each_others_inverse() -> None:
    problem, _ = line()
    fits = One(LINE, problem, near(3)).step()
    one, others = fits.of(torch.tensor([1])), fits.of(torch.tensor([0, 2]))
    joined = Fits.join([one, others])
    target = joined.of(torch.tensor([0, 0, 0]))
    target.put(torch.tensor([1]), one)
    target.put(torch.tensor([0, 2]), others)
    assert all(getattr(target, f.name).equal(getattr(fits, f.name)) for f in fields(Fits))
