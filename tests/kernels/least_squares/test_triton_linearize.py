"""Many small fits in one launch: each one's triangle against the QR in float64, and whole fits by it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import pytest
import torch
from torch import Tensor

from packtrain.kernels.common import source_cache
from packtrain.kernels.common.errors import UserError
from packtrain.kernels.common.segments import Segments
from packtrain.kernels.expression import triton_triangle
from packtrain.kernels.expression.reference import jacobian
from packtrain.kernels.expression.triton_triangle_source import triangle_refusal, triangle_source
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.least_squares import Problem, TorchSolver, by_qr, linearize
from packtrain.kernels.least_squares.linearize import Linear, by_normal_equations
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from packtrain.kernels.least_squares.triton_linearize import by_triton
from tests.helpers import assert_close
from tests.kernels.least_squares.fits import KINDS, fit, rules, starts, tensor
from tests.kernels.least_squares.losses import ROBUST, of_runs
from tests.kernels.least_squares.shared_fits import made_up
from tests.strategies import away_from_zero

pytestmark = pytest.mark.usefixtures("poisoned")

CPU = torch.device("cpu")
TWO_OUTPUTS = parse("xy = a*exp(b*x) + c\nxz = b*x + c*xa")
COUNTS = (5, 0, 1, 9, 2, 1, 7)


def drawn(graph: Graph, counts: tuple[int, ...] = COUNTS, weighted: bool = False) -> tuple[Tensor, Problem]:
    """Parameters [R, P], and samples of so many fits, each with its own number of them."""
    generator = torch.Generator().manual_seed(7)
    segments, samples = Segments.after_another(torch.tensor(counts)), sum(counts)
    problem = Problem(
        away_from_zero(generator, samples, len(graph.inputs)),
        away_from_zero(generator, samples, len(graph.outputs)),
        away_from_zero(generator, samples).abs() if weighted else None,
        segments=segments,
    )
    return away_from_zero(generator, len(counts), len(graph.parameters)), problem


def on(device: torch.device, problem: Problem, dtype: torch.dtype) -> Problem:
    """The same samples there, in `dtype`."""
    weights = problem.weights if problem.weights is None else problem.weights.to(device, dtype)
    segments = problem.segments and problem.segments.to(device)
    inputs, targets = (part.to(device, dtype) for part in (problem.inputs, problem.targets))
    return replace(problem, inputs=inputs, targets=targets, weights=weights, segments=segments)


def upright(linear: Linear) -> Tensor:
    """[A | c], its diagonal positive, after a column of |e|^2: these are unique."""
    rows = torch.cat([linear.root, linear.projected[..., None]], 2)
    sign = torch.where(linear.root.diagonal(dim1=1, dim2=2) < 0, -1.0, 1.0)
    rss = linear.rss[:, None, None].expand(-1, rows.shape[1], 1)
    return torch.cat([rss, rows * sign[..., None]], 2)


def check(
    graph: Graph,
    parameters: Tensor,
    problem: Problem,
    dtype: torch.dtype = torch.float64,
    device: torch.device = CPU,
) -> Linear:
    """The kernel's linear problems are those of the QR in float64, of the numbers that `dtype` has."""
    rounded = on(CPU, problem, dtype)
    exact = on(CPU, rounded, torch.float64)
    expected = by_qr(partial(jacobian, graph), parameters.to(dtype).double(), exact)
    linear = by_triton(graph, parameters.to(device, dtype), on(device, rounded, dtype))
    assert [part.dtype for part in linear] == [torch.float64] * 3
    assert_close(upright(linear).cpu(), upright(expected), dtype)
    return linear


@pytest.mark.emulated
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_fits_of_unlike_size(dtype: torch.dtype, weighted: bool, device: torch.device) -> None:
    linear = check(TWO_OUTPUTS, *drawn(TWO_OUTPUTS, weighted=weighted), dtype, device)
    assert not linear.rss[1] and not linear.root[1].any()
    assert linear.root[2, 1, 1] and not linear.root[2, 2].any(), "a sample of two outputs has two rows"


@pytest.mark.emulated
@pytest.mark.parametrize("own", [(0, 0, 0), (1, 1, 1), (0, 1, 0), (1, 0, 1)], ids=str)
def test_fits_of_one_size(own: tuple[int, ...], device: torch.device) -> None:
    """Of samples that the fits share, have each for itself, or both."""
    generator = torch.Generator().manual_seed(3)
    x, t, w = (
        away_from_zero(generator, *([4] * is_own), 6, size)
        for is_own, size in zip(own, (2, 2, 1), strict=True)
    )
    problem = Problem(x, t, w[..., 0].abs())
    check(TWO_OUTPUTS, away_from_zero(generator, 4, 3), problem, device=device)


@pytest.mark.emulated
def test_more_fits_than_lanes(device: torch.device) -> None:
    counts = tuple(7919 * r % 5 for r in range(70))
    check(TWO_OUTPUTS, *drawn(TWO_OUTPUTS, counts), device=device)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("loss", ROBUST)
def test_robust_losses(loss: str) -> None:
    parameters, problem = drawn(TWO_OUTPUTS, weighted=True)
    check(TWO_OUTPUTS, parameters, replace(problem, loss=of_runs(loss, len(COUNTS))))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_derivatives_whose_squares_are_no_numbers(size: float) -> None:
    graph = parse("xy = a*x + b*xa + c")
    parameters, problem = drawn(graph, (6, 3))
    problem = replace(problem, inputs=problem.inputs * tensor([1, size]))
    parameters[:, 1] = 0
    expected, linear = (
        way(parameters, problem).root / tensor([1, size, 1])
        for way in (partial(by_qr, partial(jacobian, graph)), partial(by_triton, graph))
    )
    assert_close(linear.abs(), expected.abs())


def test_the_condition_number_is_not_squared() -> None:
    """Columns of 1, x and x^2 with x around 1000: their products know nothing of the last."""
    graph = parse("xy = a + b*x + c*x^2")
    x = 1000 + torch.linspace(0, 0.5, 30, dtype=torch.float64)[:, None]
    given = tensor([[1.0, 2.0, 3.0]]), Problem(x, x.sin())
    assert torch.linalg.cond(torch.cat([torch.ones_like(x), x, x**2], 1)) > 1e8
    expected, by_products = (
        upright(way(partial(jacobian, graph), *given))[0, 2, 3] for way in (by_qr, by_normal_equations)
    )
    assert (upright(by_triton(graph, *given))[0, 2, 3] / expected - 1).abs() < 1e-6
    assert (by_products / expected - 1).abs() > 1e-2


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_a_fit_that_is_not_finite_has_an_infinite_sum_and_harms_nobody(where: str, poison: float) -> None:
    parameters, problem = drawn(TWO_OUTPUTS)
    clean = by_triton(TWO_OUTPUTS, parameters, problem)
    assert problem.segments is not None
    getattr(problem, where)[problem.segments.starts[3] + 2, 0] = poison
    dirty = by_triton(TWO_OUTPUTS, parameters, problem)
    assert dirty.rss[3] == torch.inf and not dirty.root[3].any() and not dirty.projected[3].any()
    others = [0, 1, 2, 4, 5, 6]
    assert all(a[others].equal(b[others]) for a, b in zip(dirty, clean, strict=True))


@pytest.mark.emulated
def test_a_fit_is_the_same_in_any_pack(monkeypatch: pytest.MonkeyPatch, device: torch.device) -> None:
    graph = KINDS["gaussian peak"].graph
    parameters, problem = drawn(graph, weighted=True)
    parameters, problem = parameters.to(device), on(device, problem, torch.float64)
    whole = by_triton(graph, parameters, problem)
    for some in ([0], [3], [2, 6, 1], [6, 5, 4, 3, 2, 1, 0]):
        runs = torch.tensor(some, device=device)
        result = by_triton(graph, parameters[runs], problem.of(runs))
        assert all(bits(a).equal(bits(b[runs])) for a, b in zip(result, whole, strict=True))
    monkeypatch.setattr(triton_triangle, "LANES", 4)
    result = by_triton(graph, parameters, problem)
    assert all(bits(a).equal(bits(b)) for a, b in zip(result, whole, strict=True))


def bits(numbers: Tensor) -> Tensor:
    """As integers, in which 0 and -0 differ."""
    return numbers.contiguous().view(torch.int64)


def test_no_fits_have_no_linear_problem() -> None:
    parameters, problem = drawn(TWO_OUTPUTS)
    nobody = torch.tensor([], dtype=torch.int64)
    assert by_triton(TWO_OUTPUTS, parameters[nobody], problem.of(nobody)).root.shape == (0, 3, 3)


def test_each_fit_is_linearized_by_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one call where all are small; where some aren't, the small ones have the same bits."""
    parameters, problem = drawn(TWO_OUTPUTS)
    calls: list[int] = []

    def small(parameters: Tensor, problem: Problem) -> Linear:
        calls.append(len(parameters))
        return by_triton(TWO_OUTPUTS, parameters, problem)

    solved = partial(linearize, partial(jacobian, TWO_OUTPUTS), parameters, problem, None, small)
    together = solved()
    assert calls == [len(COUNTS)]
    source = sys.modules["packtrain.kernels.least_squares.linearize"]
    few = torch.tensor(COUNTS) < 7
    for name, most in (("SMALL", 5 * 2 * 4), ("LARGE", 7 * 2 * 4)):
        monkeypatch.setattr(source, name, most)
        calls.clear()
        apart = solved()
        assert sum(calls) == few.sum() and len(calls) == 4
        assert all(a[few].equal(b[few]) for a, b in zip(apart, together, strict=True))
        assert_close(upright(apart), upright(together))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", ["exponential decay", "gaussian peak", "logistic"])
def test_whole_fits_are_those_of_numba(kind: str) -> None:
    given = replace(KINDS[kind], noise=1e-4)
    problem = made_up(given, [False] * len(given.start), [12, 7, 20, 9, 15])
    start = starts(given, 5)
    solver = TorchSolver(
        partial(jacobian, given.graph), problem, start.clone(), rules(problem, start), True,
        small=partial(by_triton, given.graph),
    )  # fmt: skip
    solver.advance(200)
    expected = fit(given.graph, problem, start, backend=NumbaSolver)
    assert expected.converged
    torch.testing.assert_close(solver.parameters, expected.parameters, rtol=1e-10, atol=0)
    (_, linear), (_, by_numba) = *solver.solutions(), *NumbaSolver(
        given.graph, problem, expected.parameters, rules(problem, start), True
    ).solutions()  # fmt: skip
    assert_close(linear.root.abs(), by_numba.root.abs())


def test_what_a_lane_has_no_room_for_is_refused() -> None:
    assert triangle_refusal(TWO_OUTPUTS) == ""
    assert triangle_refusal(parse("xy = a + b + c + d + e + f + g + h*x")) == "it has more than 7 parameters"
    assert triangle_refusal(parse("xy = a\nxz = b\nxw = c")) == "it has more than 2 outputs"
    voigt = parse("xy = a*voigt(x - b, c, d)\nxz = a*voigt(xa - b, d, c)")
    assert triangle_refusal(voigt) == "it needs more registers than a lane has"


def test_the_cpu_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_triangle.launch, "INTERPRETED", False)
    with pytest.raises(UserError, match="runs on CUDA, and its input is on cpu"):
        by_triton(TWO_OUTPUTS, *drawn(TWO_OUTPUTS))


def edited(old: str, new: str) -> Callable[..., ModuleType]:
    """Writes kernels in which `old`, which they must hold, is `new`."""

    def load(graph: Graph, weighted: bool, loss: None) -> ModuleType:
        source = triangle_source(graph, weighted, loss)
        assert old in source
        return source_cache.load(source.replace(old, new))

    return load


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("u1_0 * r1_2 + d1_0 * j2_0", "u1_0 * r1_2 - d1_0 * j2_0"),
        ("tl.where(nothing, 1.0, above / length)", "above / length"),
        ("j0_0 = tl.where(inside, j0_0, -0.0)", "j0_0 = j0_0 + 0.0"),
        ("rss += tl.where(inside, j3_0 * j3_0, 0.0)", "rss += j3_0 * j3_0"),
        ("range(0, tl.max(samples, 0))", "range(1, tl.max(samples, 0))"),
        ("(t_start + n) * 2 + 1", "(x_start + n) * 2"),
    ],
)
def test_a_wrong_kernel_is_rejected(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_triangle, "_module", edited(old, new))
    with pytest.raises(AssertionError):
        check(TWO_OUTPUTS, *drawn(TWO_OUTPUTS))
