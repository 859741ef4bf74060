"""Each formula of docs/reference/formulas.md is one, has the right slopes, and is fitted from its start."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import lambertw
from torch import Tensor

from packtrain.kernels.expression import expression, jacobian
from packtrain.kernels.least_squares import Problem
from packtrain.kernels.least_squares.numba_solver import NumbaSolver
from tests.formulas import PAGE, Formula, commands, of_commands, of_rows
from tests.helpers import ROOT, Command, result_in
from tests.kernels.least_squares.fits import fit

FORMULAS = [*of_rows(), *of_commands()]
each_formula = pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)


def test_every_line_of_a_table_is_read() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    heads = [line for line in lines if line == "| [run one](#run-one) | equation | start | truth | x |"]
    assert len(heads) + len(of_rows()) == len(lines) and len(FORMULAS) > 150
    example, *_ = of_commands()
    assert example.given in [row.given for row in of_rows()]


@pytest.mark.sampled(50)
@each_formula
def test_a_formula_has_the_right_slopes(formula: Formula) -> None:
    graph, parameters, inputs = formula.graph, formula.values(formula.truth), formula.inputs(40)
    assert {*graph.parameters} == {*formula.start} == {*formula.truth}
    assert all(name.startswith("x") for name in graph.inputs) and {*graph.outputs} <= {"y", "z"}
    outputs, slopes = jacobian(graph, parameters, inputs)
    size = torch.where(parameters[0] == 0, 1, parameters[0].abs())
    for place, delta in enumerate((1e-6 * size).diag()):
        higher, lower = (expression(graph, parameters + sign * delta, inputs) for sign in (1, -1))
        expected = (higher - lower) * size[place] / (2 * delta[place])
        error = slopes[..., place] * size[place] - expected
        assert error.abs().max() <= 1e-6 * (expected.abs().max() + outputs.abs().max()), graph.parameters[
            place
        ]


@pytest.mark.sampled(40)
@each_formula
def test_a_formula_is_fitted_from_its_start(formula: Formula) -> None:
    inputs, truth = formula.inputs(200), formula.values(formula.truth)
    problem = Problem(inputs, expression(formula.graph, truth, inputs)[0])
    fitted = fit(formula.graph, problem, formula.values(formula.start), backend=NumbaSolver)
    assert fitted.converged
    error = expression(formula.graph, fitted.parameters, inputs)[0] - problem.targets
    assert error.abs().max() <= 1e-6 * _spread(problem.targets)


def _spread(targets: Tensor) -> Tensor:
    return targets.max() - targets.min()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("command", commands(), ids=lambda command: command[1])
def test_a_command_of_the_page_fits(command: list[str], cli: Command, tmp_path: Path) -> None:
    here = [word.replace("docs/data/", f"{ROOT}/docs/data/") for word in command]
    ended = cli(*here, "monitor=quiet")
    assert ended.code == 0, ended.err
    (run,) = result_in(tmp_path / "out")["run"]
    assert run["outcome"] == "finished" and run["fit"]["r_squared"] > 0.99


def _diode(x: float, lg: float, n: float, rs: float) -> float:
    thermal, current = n * 0.02585, 10**lg
    inner = current * rs / thermal * np.exp((x + current * rs) / thermal)
    return thermal / rs * lambertw(inner).real - current


def _debye(x: float, c: float, t: float) -> float:
    def integrand(s: float) -> float:
        return 3 * s**2 * (t * s / x / 2 / np.sinh(t * s / x / 2)) ** 2

    return c * quad(integrand, 0, 1)[0]


def _orbit(x: float, k: float, period: float, t0: float, ecc: float, w: float, v: float) -> float:
    eccentric = mean = 2 * np.pi * (x - t0) / period
    for _ in range(100):
        eccentric = mean + ecc * np.sin(eccentric)
    true = 2 * np.arctan(np.sqrt((1 + ecc) / (1 - ecc)) * np.tan(eccentric / 2))
    return k * (np.cos(true + w) + ecc * np.cos(w)) + v


@pytest.mark.parametrize(
    ("name", "function", "digits"), [("diode", _diode, 9), ("debye", _debye, 4), ("orbit", _orbit, 6)]
)
def test_a_rule_is_as_near_as_the_page_says(name: str, function: Callable[..., float], digits: int) -> None:
    (formula,) = (each for each in of_commands() if each.name == name)
    inputs = formula.inputs(50)
    actual = expression(formula.graph, formula.values(formula.truth), inputs)[0, :, 0]
    expected = torch.tensor([function(x, **formula.truth) for x in inputs[:, 0].tolist()])
    assert ((actual - expected).abs() <= 10.0**-digits * expected.abs().max()).all()
