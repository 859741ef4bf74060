"""Known errors of measurements (data.columns.sigma), against scipy's curve_fit with absolute_sigma."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, curve_fit
from scipy.stats import chi2, norm

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.engines.rows import Rows
from packtrain.trainer.session import Session
from tests.helpers import Command
from tests.trainer.configs import pack_of
from tests.trainer.fits import FIT, equation

X = [0.0, 1, 2, 3, 4, 5, 6, 7]
Y = [8.3, 11.0, 14.7, 19.7, 26.7, 35.2, 44.4, 55.9]
SIGMA = [0.5, 0.5, 0.5, 0.8, 0.8, 1.0, 1.0, 2.0]
TABLE: dict[str, Any] = {"x": X, "xy": Y, "s": SIGMA, "w": [s**-2 for s in SIGMA]}
GROWTH = equation("xy = a*exp(b*x)", {"a": 5, "b": 0.5}, **TABLE)
ERRORS, WEIGHTS = "data.columns={sigma: s}", "data.columns={weights: w}"


def rows_of(*overrides: str) -> Rows:
    session = Session.prepare(pack_of(*FIT, "loop.batch_size=full", "compute.device=cpu", *overrides))
    while not session.done:
        session.advance()
    return session.result().rows


def by_scipy(absolute: bool) -> tuple[np.ndarray, np.ndarray]:
    def growth(x: np.ndarray, a: float, b: float) -> np.ndarray:
        return a * np.exp(b * x)

    tight: dict[str, Any] = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    best, covariance = curve_fit(growth, X, Y, (5, 0.5), SIGMA, absolute, **tight)
    return best, np.sqrt(np.diag(covariance))


@pytest.mark.parametrize(("columns", "absolute"), [(ERRORS, True), (WEIGHTS, False)])
def test_standard_errors_are_curve_fits(columns: str, absolute: bool) -> None:
    (row,) = rows_of(*GROWTH, columns)
    best, stderr = by_scipy(absolute)
    for about, value, error in zip(row["parameters"].values(), best, stderr, strict=True):
        assert about["value"] == pytest.approx(value, rel=1e-9)
        assert about["stderr"] == pytest.approx(error, rel=1e-7)


def test_a_fit_is_judged_by_chi_square() -> None:
    (row,) = rows_of(*GROWTH, ERRORS)
    (a, b), stderr = by_scipy(True)
    square = float(np.sum(((a * np.exp(b * np.array(X)) - Y) / SIGMA) ** 2))
    fit = row["fit"]
    assert fit["chi_square"] == fit["rss"] == pytest.approx(square)
    assert fit["reduced_chi_square"] == pytest.approx(square / 6) == fit["residual_std"] ** 2
    assert fit["p_value"] == pytest.approx(chi2.sf(square, 6))
    assert (fit["aic"], fit["bic"]) == pytest.approx((square + 4, square + 2 * math.log(8)))
    reach = norm.ppf(0.975) * stderr[1]
    assert row["parameters"]["b"]["ci95"] == pytest.approx([b - reach, b + reach], rel=1e-7)


def test_profiles_take_chi_square_itself() -> None:
    (row,) = rows_of(*GROWTH, ERRORS, "fit.intervals=profile")

    def rise(b: float) -> float:
        curve, weight = np.exp(b * np.array(X)), np.square(SIGMA) ** -1
        a = (weight * curve) @ Y / (weight * curve @ curve)
        return float(weight @ (a * curve - Y) ** 2) - row["fit"]["rss"] - norm.ppf(0.975) ** 2

    b = row["parameters"]["b"]["value"]
    ends = [brentq(rise, b, b + away, xtol=1e-14) for away in (-0.1, 0.1)]
    assert row["parameters"]["b"]["profile"] == pytest.approx(ends, rel=1e-9)


def test_as_many_samples_as_parameters_have_standard_errors() -> None:
    two = {name: column[:2] for name, column in TABLE.items()}
    (row,) = rows_of(*equation("xy = a + b*x", {"a": 5, "b": 0.5}, **two), ERRORS)
    assert row["parameters"]["a"]["stderr"] == pytest.approx(0.5)
    assert row["fit"]["p_value"] is None and row["fit"]["notes"] == []


def test_errors_that_are_too_small_are_told() -> None:
    small = TABLE | {"s": [s / 10 for s in SIGMA]}
    (row,) = rows_of(*equation("xy = a*exp(b*x)", {"a": 5, "b": 0.5}, **small), ERRORS)
    assert row["fit"]["p_value"] < 1e-3
    (note,) = row["fit"]["notes"]
    assert note == "the residuals are larger than sigma says: the equations or the errors are wrong"


def test_a_group_has_the_errors_of_its_own_rows() -> None:
    twice = {name: [*column, *column] for name, column in TABLE.items()} | {"key": [1] * 8 + [2] * 8}
    twice["s"] = [*SIGMA, *(2 * s for s in SIGMA)]
    one, two = rows_of(*equation("xy = a*exp(b*x)", {"a": 5, "b": 0.5}, **twice), ERRORS, "data.group=key")
    (alone,) = rows_of(*GROWTH, ERRORS)
    assert one["parameters"] == alone["parameters"]
    assert two["fit"]["chi_square"] == pytest.approx(alone["fit"]["chi_square"] / 4)
    assert two["parameters"]["a"]["stderr"] == pytest.approx(2 * alone["parameters"]["a"]["stderr"])


def test_first_order_trainings_take_them_as_weights() -> None:
    fields = ("~experiment", "monitor=quiet", "loop.steps=5", "loop.batch_size=4", *GROWTH, "optimizer=adam")
    errors, weights = (load_data(pack_of(*fields, columns)).train for columns in (ERRORS, WEIGHTS))
    assert errors.weights is not None and weights.weights is not None
    assert torch.equal(errors.weights, weights.weights)
    assert errors.absolute and not weights.absolute


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1, 0, 1], r"data.table, row 2, column s: a sigma is the standard deviation .*; got 0"),
        ([1, 1, -0.5], r"row 3, column s: a sigma .*; got -0.5"),
        ([1, 1e-200, 1], r"row 2, column s: a sigma .*; got 1e-200"),
    ],
)
def test_an_error_that_is_none_is_refused(column: list[float], message: str) -> None:
    table = equation("xy = a*x", {"a": 1}, x=[1.0, 2, 3], xy=[1.0, 2, 3], s=column)
    with pytest.raises(UserError, match=message):
        load_data(pack_of(*FIT, *table, ERRORS))


def test_weights_and_errors_at_once_are_refused() -> None:
    with pytest.raises(UserError, match=r"data.columns names weights and sigma"):
        load_data(pack_of(*FIT, *GROWTH, "data.columns={sigma: s, weights: w}"))


def test_a_parameter_or_a_variable_may_be_called_sigma() -> None:
    peak = equation("xy = a*exp(-(x/sigma)^2)", {"a": 1, "sigma": 1}, x=X, xy=Y, s=SIGMA)
    assert load_data(pack_of(*FIT, *peak, ERRORS)).train.absolute
    data = load_data(pack_of(*FIT, *peak, ERRORS, "model.variables=[sigma]", "model.initial={a: 1}")).train
    assert not data.absolute and data.input_names == ("x", "sigma")


def test_the_closing_table_says_chi_square(cli: Command, tmp_path: Path) -> None:
    ended = cli(*FIT, *GROWTH, ERRORS, "loop.batch_size=full", "monitor=default", "monitor.tensorboard=false")
    assert ended.code == 0 and "reduced chi-square" in ended.out and "residual std" not in ended.out
    assert "fit.chi_square" in (tmp_path / "out" / "runs.csv").read_text()


def test_groups_that_share_a_parameter_have_one_chi_square() -> None:
    twice = {name: [*column, *column] for name, column in TABLE.items()} | {"key": [1] * 8 + [2] * 8}
    fields = equation("xy = a*exp(b*x)", {"a": 5, "b": 0.5}, **twice)
    rows = rows_of(*fields, ERRORS, "data.group=key", "model.shared=[b]")
    (alone,) = rows_of(*GROWTH, ERRORS)
    square = 2 * alone["fit"]["chi_square"]
    for row in rows:
        assert row["fit"]["chi_square"] == pytest.approx(square)
        assert row["fit"]["p_value"] == pytest.approx(chi2.sf(square, 16 - 3))
        shared, own = row["parameters"]["b"]["stderr"], alone["parameters"]["b"]["stderr"]
        assert shared == pytest.approx(own / math.sqrt(2))
