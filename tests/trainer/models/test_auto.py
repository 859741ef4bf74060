"""model.initial=auto: starts that are looked for in the data."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.common.segments import Segments
from packtrain.kernels.expression import expression
from packtrain.kernels.language import parse
from packtrain.kernels.least_squares import Problem
from packtrain.kernels.least_squares.numba_solver import NumbaSolver, best_candidates
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.data.formulas import formulas
from packtrain.trainer.folder.experiment import read_pack, run_config
from packtrain.trainer.models.auto import CANDIDATES, Search, found_starts
from packtrain.trainer.models.dimensions import dimensions
from packtrain.trainer.session import Session
from tests.formulas import Formula, of_rows
from tests.helpers import Command, assert_close
from tests.kernels.least_squares.fits import fit
from tests.trainer.configs import pack_of

FIELDS = {row.name: row.field for row in formulas()}
SOME = [row for row in of_rows() if FIELDS[row.name] in ("Dose and response", "Growth", "Enzymes")][::4]
PEAK = parse("y = amplitude*exp(-((x - center)/width)^2) + base")


def search(parameters: int, runs: int = 1, **others: Any) -> Search:
    zero = torch.zeros(runs, dtype=torch.int64)
    every = torch.full((parameters,), torch.inf, dtype=torch.float64)
    nothing = torch.zeros(runs, parameters, dtype=torch.float64)
    return replace(Search(nothing, every > 0, -every, every, zero, zero), **others)


def noisy(formula: Formula, count: int) -> Problem:
    inputs = formula.inputs(count)
    exact = expression(formula.graph, formula.values(formula.truth), inputs)[0]
    noise = torch.randn(exact.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return Problem(inputs, exact + 0.01 * (exact.amax(0) - exact.amin(0)) * noise)


@pytest.mark.parametrize("formula", SOME, ids=lambda formula: formula.name)
def test_a_formula_ends_where_it_ends_from_the_truth(formula: Formula) -> None:
    graph, problem = formula.graph, noisy(formula, 100)
    data = Dataset(problem.inputs, problem.targets, graph.inputs, graph.outputs)
    start = found_starts(graph, data, search(len(graph.parameters)))
    found, best = (
        fit(graph, problem, p, backend=NumbaSolver) for p in (start, formula.values(formula.truth))
    )
    outputs, expected = (expression(graph, ended.parameters, problem.inputs) for ended in (found, best))
    assert_close(outputs, expected, torch.float32)


def peaks(sizes: list[int]) -> Dataset:
    """A peak a group, of unlike place, width and number of samples."""
    random = np.random.default_rng(0)
    parts = []
    for size in sizes:
        x = np.sort(random.uniform(0, 9, size))
        y = 2 * np.exp(-(((x - random.uniform(2, 7)) / random.uniform(0.5, 2)) ** 2)) + 1
        parts.append(np.stack([x, y + 0.01 * random.normal(size=size)], 1))
    samples = torch.from_numpy(np.concatenate(parts))
    segments = Segments.after_another(torch.tensor(sizes))
    return Dataset(samples[:, :1], samples[:, 1:], ("x",), ("y",), segments=segments)


def test_a_start_depends_on_a_runs_own_samples_and_seed_alone() -> None:
    sizes = [30, 12, 300, 7]
    data, seeds = peaks(sizes), torch.tensor([3, 4, 3, 4])
    together = found_starts(PEAK, data, search(4, 4, seeds=seeds))
    for run in range(4):
        alone = found_starts(PEAK, data.of_run(run), search(4, seeds=seeds[run : run + 1]))
        assert torch.equal(together[run], alone[0])
    other = found_starts(PEAK, data.of_run(0), search(4, seeds=torch.tensor([9])))
    assert not torch.equal(other[0], together[0])


def test_of_minima_that_are_mirror_images_groups_take_the_same() -> None:
    random, doses = np.random.default_rng(0), np.logspace(-2, 1, 12)
    curves = [1 / (1 + (c / doses) ** n) for c, n in zip(*random.uniform(0.5, 2, (2, 60)), strict=True)]
    dose, response = (torch.from_numpy(np.concatenate(part))[:, None] for part in ([doses] * 60, curves))
    response = response + 0.01 * torch.from_numpy(random.normal(size=response.shape))
    segments = Segments.after_another(torch.full((60,), 12))
    data = Dataset(dose, response, ("x",), ("y",), segments=segments)
    found = found_starts(parse("y = bottom + (top - bottom)/(1 + (c/x)^n)"), data, search(4, 60))
    assert (found[:, 3] > 0).all() and (found[:, 1] > found[:, 0]).all()


def test_it_keeps_what_is_given_and_the_bounds() -> None:
    wanted = torch.tensor([True, True, True, False])
    given = torch.tensor([[0.0, 0.0, 0.0, 1.25]], dtype=torch.float64)
    upper = torch.tensor([1.5, torch.inf, torch.inf, torch.inf], dtype=torch.float64)
    lower = torch.tensor([-torch.inf, -torch.inf, 0.1, -torch.inf], dtype=torch.float64)
    found = search(4, given=given, wanted=wanted, lower=lower, upper=upper)
    (start,) = found_starts(PEAK, peaks([40]).of_run(0), found).tolist()
    assert start[3] == 1.25 and start[0] <= 1.5 and start[2] >= 0.1


def test_starts_of_one_seed_are_others_and_nothing_finite_is_told_by_nan() -> None:
    data, zero = peaks([6]).of_run(0), torch.zeros(2, dtype=torch.int64)
    graph = parse("y = a*sin(k*x + b)")
    many = search(3, 2, seeds=zero, starts=torch.tensor([0, 1]), most_starts=2)
    assert not torch.equal(*found_starts(graph, data, many))
    assert found_starts(parse("y = log(-1 - a^2*x^2)"), data, search(1)).isnan().all()
    empty = peaks([5, 0])
    assert found_starts(PEAK, empty, search(4, 2))[1].isnan().all()


def best_by_numpy(problem: Problem, candidates: Tensor) -> tuple[float, np.ndarray]:
    """The least sum of squares, and where, with the linear parameters by lstsq."""
    x, t = problem.inputs[:, 0].numpy(), problem.targets[:, 0].numpy()
    found = []
    for center, width in candidates[:, 1:3].tolist():
        columns = np.stack([np.exp(-(((x - center) / width) ** 2)), np.ones_like(x)], 1)
        solved, *_ = np.linalg.lstsq(columns, t)
        found.append((((columns @ solved - t) ** 2).sum(), [solved[0], center, width, solved[1]]))
    square, where = min(found)
    return float(square), np.array(where)


def test_the_best_candidate_is_that_of_numpy() -> None:
    data = peaks([20]).of_run(0)
    problem = Problem(data.inputs, data.targets)
    candidates = torch.rand(1, 50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 5
    infinite, linear = torch.full((4,), torch.inf).double(), np.array([True, False, False, True])
    best, squares = best_candidates(PEAK, problem, candidates, linear, -infinite, infinite, 1)
    square, where = best_by_numpy(problem, candidates[0])
    np.testing.assert_allclose(squares.item(), square, rtol=1e-9)
    np.testing.assert_allclose(best[0, 0].numpy(), where, rtol=1e-9)


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("y = bottom + (top - bottom)/(1 + (ec50/x)^n)", [[0, 1], [0, 1], [1, 0], [0, 0]]),
        ("y = amplitude/(sigma*sqrt(2*pi))*exp(-(x - center)^2/(2*sigma^2))", [[1, 1], [1, 0], [1, 0]]),
        ("y = a*sin(2*pi*f*x + phase)", [[0, 1], [-1, 0], [0, 0]]),
        ("y = m/sqrt(d*x)*exp(-x/d)", [[1, 1], [1, 0]]),
        ("y = a/hypot(1 - (x/f0)^2, x/(q*f0))", [[0, 1], [1, 0], [0, 0]]),
        ("y = where(x < t0, a, b*x)", [[1, 0], [0, 1], [-1, 1]]),
        ("y = x0", [[0, 1]]),
    ],
)
def test_units_follow_from_the_equation(equation: str, expected: list[list[float]]) -> None:
    graph = parse(equation, declared=["x0"] if "x0" in equation else [])
    np.testing.assert_allclose(dimensions(graph), np.array(expected)[:, -len(graph.inputs) - 1 :], atol=1e-9)


TABLE = "data.table={x: [0, 1, 2, 3, 4, 5], xy: [5.02, 3.36, 2.34, 1.84, 1.45, 1.27]}"
DECAY = "experiment=fit", 'model.expressions=["xy = a*exp(-k*x) + c"]', TABLE


def prepared(*arguments: str) -> Session:
    return Session.prepare(pack_of(*DECAY, *arguments))


def test_a_config_may_ask_for_all_or_some() -> None:
    whole = prepared("model.initial=auto")
    (told,) = whole.data.notes
    assert told.startswith("starts at a=") and told.endswith("(model.initial=auto)")
    some = prepared("model.initial={a: auto, k: auto, c: 1}").engine.model.parameters
    assert some[0, 2] == 1 and CANDIDATES > 1
    varied = prepared("model.initial=auto", 'pack.over={model.initial.c: "0,1"}').engine.model.parameters
    assert varied[:, 2].tolist() == [0, 1] and torch.equal(varied[1], some[0])
    assert len(prepared("model.initial=auto", "model.starts=3").engine.model.parameters) == 3


def test_one_of_several_starts_is_trained_again_alone(cli: Command, tmp_path: Path) -> None:
    given = 'model.initial={a: auto, k: ["min(x)", "max(x)"], c: 0}', "model.starts=2", "monitor=quiet"
    assert cli(*DECAY, *given, "loop.steps=1").code == 0
    together = Session.prepare(read_pack(tmp_path / "out")).engine.model.parameters
    for run in range(2):
        alone = Session.prepare(run_config(tmp_path / "out", run)).engine.model.parameters
        assert torch.equal(alone[0], together[run])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["model.initial=any"],
            r"model.initial maps names to values, .*, or is auto; got any",
        ),
        (["model.initial=auto", "model.fixed=[k]"], "model.fixed keeps k where it starts"),
        (
            ["model.initial=auto", "optimizer=adam", "model.loss=poisson"],
            "looks for starts by squared errors",
        ),
        (
            ["pack.over={model.initial.a: [auto, 1]}"],
            "model.initial.a is auto in all runs or in none",
        ),
    ],
)
def test_what_it_is_no_help_for_is_a_sentence(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepared(*arguments)
