import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.least_squares import Problem
from packtrain.kernels.least_squares.linearize import (
    LARGE,
    Linear,
    by_normal_equations,
    by_qr,
    linearize,
    triangle,
)
from tests.helpers import assert_close
from tests.strategies import away_from_zero

SOURCE = sys.modules["packtrain.kernels.least_squares.linearize"]
GRAPH = parse("xy = a*exp(b*x) + c\nxz = b*x + c*xa")
RUNS, SAMPLES = 4, 11


@pytest.fixture(params=["qr", "qr of blocks", "normal equations"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How `linearize` goes about its problem; all but the first take three samples at a time."""
    if request.param != "qr":
        monkeypatch.setattr(SOURCE, "BLOCK", 3)
    if request.param == "normal equations":
        monkeypatch.setattr(SOURCE, "LARGE", 0)
    return request.param


def drawn(graph: Graph = GRAPH, per_run: bool = True, weighted: bool = False) -> tuple[Tensor, Problem]:
    generator = torch.Generator().manual_seed(5)
    rows = (RUNS, SAMPLES) if per_run else (SAMPLES,)
    problem = Problem(
        away_from_zero(generator, *rows, len(graph.inputs)),
        away_from_zero(generator, *rows, len(graph.outputs)),
        away_from_zero(generator, *rows).abs() if weighted else None,
    )
    return away_from_zero(generator, RUNS, len(graph.parameters)), problem


def solved(parameters: Tensor, problem: Problem, graph: Graph = GRAPH) -> Linear:
    return linearize(partial(jacobian, graph), parameters, problem)


def columns(parameters: Tensor, problem: Problem, graph: Graph = GRAPH) -> tuple[Tensor, Tensor]:
    """J [R, N T, P] and e [R, N T], written out."""
    outputs, slopes = jacobian(graph, parameters, problem.inputs)
    errors = outputs - problem.targets
    if problem.weights is not None:
        root = problem.weights.sqrt().expand(errors.shape[:2])
        slopes, errors = slopes * root[:, :, None, None], errors * root[:, :, None]
    return slopes.flatten(1, 2), errors.flatten(1, 2)


def assert_solves(found: Linear, slopes: Tensor, errors: Tensor) -> None:
    assert found.root.equal(found.root.triu())
    assert_close(found.root.mT @ found.root, slopes.mT @ slopes)
    assert_close(
        (found.root.mT @ found.projected[..., None])[..., 0], (slopes.mT @ errors[..., None])[..., 0]
    )
    assert_close(found.rss, errors.square().sum(1))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("per_run", [False, True])
def test_the_small_problem_is_the_large_one(way: str, per_run: bool, weighted: bool) -> None:
    parameters, problem = drawn(per_run=per_run, weighted=weighted)
    found = solved(parameters, problem)
    assert [part.dtype for part in found] == [torch.float64] * 3
    assert_solves(found, *columns(parameters, problem))


def test_shared_inputs_may_meet_per_run_targets_and_weights(way: str) -> None:
    parameters, problem = drawn(per_run=False)
    own = drawn(weighted=True)[1]
    mixed = replace(problem, targets=own.targets, weights=own.weights)
    assert_solves(solved(parameters, mixed), *columns(parameters, mixed))
    mixed = replace(own, weights=torch.linspace(0.5, 2, SAMPLES, dtype=torch.float64))
    assert_solves(solved(parameters, mixed), *columns(parameters, mixed))


def test_weight_two_is_the_sample_twice(way: str) -> None:
    parameters, problem = drawn()
    counts = torch.arange(SAMPLES) % 3
    repeated = Problem(*(part.repeat_interleave(counts, 1) for part in (problem.inputs, problem.targets)))
    weighted = solved(parameters, replace(problem, weights=counts.double()))
    assert_close(weighted.rss, solved(parameters, repeated).rss)
    assert_solves(weighted, *columns(parameters, repeated))


def test_there_may_be_fewer_rows_than_parameters(way: str) -> None:
    parameters, problem = drawn()
    one = problem.part(slice(1))
    assert one.rows == 2 < parameters.shape[1]
    found = solved(parameters, one)
    assert found.root.shape == (RUNS, 3, 3) and found.projected.shape == (RUNS, 3)
    assert_solves(found, *columns(parameters, one))


def test_a_column_of_zeros_stays_one(way: str) -> None:
    graph = parse("xy = a*x + b*0*x + c*x^2")
    parameters, problem = drawn(graph)
    found = solved(parameters, problem, graph)
    assert_solves(found, *columns(parameters, problem, graph))
    assert not found.root[:, :, 1].any()


def test_dependent_columns_are_kept_finite(way: str) -> None:
    graph = parse("xy = (a + b)*x + c")
    parameters, problem = drawn(graph)
    assert_solves(solved(parameters, problem, graph), *columns(parameters, problem, graph))


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_a_run_that_is_not_finite_has_an_infinite_sum(way: str, where: str, poison: float) -> None:
    parameters, problem = drawn()
    clean = solved(parameters, problem)
    getattr(problem, where)[2, -1, 0] = poison
    dirty = solved(parameters, problem)
    others = [0, 1, 3]
    assert dirty.rss[2] == torch.inf
    assert all(after[2].isfinite().all() for after in dirty[1:])
    for before, after in zip(clean, dirty, strict=True):
        assert_close(after[others], before[others])


def test_a_derivative_that_is_not_finite_counts_too(way: str) -> None:
    graph = parse("xy = sqrt(a*x) + b")
    problem = Problem(*torch.ones(2, 5, 1, dtype=torch.float64))
    parameters = torch.tensor([[1.0, 0], [0, 0], [4, 0]], dtype=torch.float64)
    assert solved(parameters, problem, graph).rss.tolist() == [0, torch.inf, 5]


def test_a_run_is_the_same_alone_and_in_a_pack(way: str) -> None:
    parameters, problem = drawn(weighted=True)
    together = solved(parameters, problem)
    for run in range(RUNS):
        alone = solved(parameters[[run]], problem.of(torch.tensor([run])))
        for part, pack in zip(alone, together, strict=True):
            assert_close(part[0], pack[run])


def test_single_precision_samples_make_a_double_problem(way: str) -> None:
    parameters, problem = drawn()
    single = Problem(problem.inputs.float(), problem.targets.float())
    found = solved(parameters.float(), single)
    assert [part.dtype for part in found] == [torch.float64] * 3
    slopes, errors = columns(parameters, problem)
    assert_close(found.rss, errors.square().sum(1), torch.float32)
    assert_close(found.root.mT @ found.root, slopes.mT @ slopes, torch.float32)


def test_qr_never_squares_the_condition_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that differ by 1e-9 of their length are told apart by QR, and not by normal equations."""
    graph = parse("xy = (a + b)*x + b*0.000000001*x^2")
    parameters, problem = drawn(graph)
    slopes = columns(parameters, problem, graph)[0]
    expected = torch.linalg.qr(slopes)[1][:, 1, 1].abs()
    torch.testing.assert_close(
        solved(parameters, problem, graph).root[:, 1, 1].abs(), expected, rtol=1e-5, atol=0
    )
    monkeypatch.setattr(SOURCE, "LARGE", 0)
    assert not torch.allclose(solved(parameters, problem, graph).root[:, 1, 1].abs(), expected, 1e-5, 0)


@pytest.mark.parametrize(
    ("samples", "targets", "size", "large"),
    [(1 << 17, 1, 7, False), ((1 << 17) + 1, 1, 7, True), (1 << 16, 2, 7, False), (1 << 16, 3, 7, True)],
)
@pytest.mark.parametrize("runs", [1, 100])
def test_size_is_a_matter_of_one_fit(
    samples: int, targets: int, size: int, large: bool, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LARGE == 1 << 20
    taken: list[str] = []
    for name in ("by_qr", "by_normal_equations"):
        monkeypatch.setattr(SOURCE, name, lambda *given, name=name: taken.append(name))
    one = torch.zeros(1, 1)
    linearize(
        partial(jacobian, GRAPH),
        torch.zeros(runs, size),
        Problem(one.expand(samples, 1), one.expand(samples, targets)),
    )
    assert taken == ["by_normal_equations" if large else "by_qr"]


def test_a_small_problem_takes_qr() -> None:
    parameters, problem = drawn(weighted=True)
    expected = by_qr(partial(jacobian, GRAPH), parameters, problem)
    other = by_normal_equations(partial(jacobian, GRAPH), parameters, problem)
    assert all(a.equal(b) for a, b in zip(solved(parameters, problem), expected, strict=True))
    assert not other.root.equal(expected.root)


FIVE = parse("xy = a*exp(b*x) + c*x + d*x^2 + f")


@pytest.mark.parametrize("block", [1, 2, 3, 7, 10, 11, 12])
@pytest.mark.parametrize("count", [1, 2, 3, 4, SAMPLES])
@pytest.mark.parametrize("per_run", [False, True])
@pytest.mark.parametrize("graph", [GRAPH, FIVE], ids=["two outputs", "five parameters"])
def test_blocks_make_the_problem_of_all_samples_at_once(
    graph: Graph, per_run: bool, count: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some have fewer rows than parameters, in a block or altogether."""
    parameters, problem = drawn(graph, per_run, weighted=True)
    problem = problem.part(slice(count))
    asked: list[int] = []

    def model(parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(inputs.shape[-2])
        return jacobian(graph, parameters, inputs)

    whole = by_qr(model, parameters, problem)
    assert asked == [count]
    monkeypatch.setattr(SOURCE, "BLOCK", block)
    for each in (by_qr, by_normal_equations):
        asked.clear()
        found = each(model, parameters, problem)
        assert sum(asked) == count and max(asked) <= block and len(asked) == -(-count // block)
        assert found.root.shape == whole.root.shape and found.projected.shape == whole.projected.shape
        assert_solves(found, *columns(parameters, problem, graph))
        assert_close(found.rss, whole.rss)
        assert_close(found.root.mT @ found.root, whole.root.mT @ whole.root)
        slope, expected = ((part.root.mT @ part.projected[..., None]) for part in (found, whole))
        assert_close(slope, expected)


def test_squares_that_single_precision_cannot_hold_are_summed(way: str) -> None:
    """Residuals of 3e19 have squares of 9e38, beyond float32."""
    parameters, problem = drawn()
    single = Problem(problem.inputs.float(), 3e19 * problem.targets.sign().float())
    assert not single.targets.square().isfinite().any()
    found = solved(parameters.float(), single)
    slopes, errors = columns(parameters, Problem(problem.inputs, single.targets.double()))
    assert_close(found.rss / errors.square().sum(1), torch.ones(RUNS), torch.float32)
    assert_close(found.root.mT @ found.root, slopes.mT @ slopes, torch.float32)
    slope = (found.root.mT @ found.projected[..., None])[..., 0]
    assert_close(slope / 3e19, (slopes.mT @ errors[..., None])[..., 0] / 3e19, torch.float32)


@pytest.mark.parametrize("rows", [2, 4, 9])
def test_triangle_is_that_of_qr(rows: int) -> None:
    given = away_from_zero(torch.Generator().manual_seed(1), 3, rows, 4)
    found = triangle(given)
    assert found.shape == (3, min(rows, 4), 4) and found.equal(found.triu())
    assert_close(found.abs(), torch.linalg.qr(given)[1].abs())


def test_the_size_of_a_problem_is_that_of_its_weighted_targets() -> None:
    _, problem = drawn(weighted=True)
    weights = problem.weights
    assert weights is not None
    assert_close(problem.size, (weights.sqrt()[..., None] * problem.targets).norm(dim=(1, 2)))
    shared = drawn(per_run=False)[1]
    assert_close(shared.size, shared.targets.norm())
