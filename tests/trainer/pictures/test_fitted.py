"""The bands of a curve, against NumPy's own linear algebra and scipy's curve_fit."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit
from scipy.stats import t as student

from packtrain.trainer.folder.result import Result
from packtrain.trainer.pictures.fitted import Fitted, Outputs
from packtrain.trainer.pictures.view import View
from tests.trainer.pictures.fits import X, Y, fit

AT = torch.tensor([[0.5], [4.0], [20.0]], dtype=torch.float64)
MOVED = "xy = b1*(1-c*exp(-b2*x))"
WEIGHTS = [1.0, 4.0, 1.0, 0.0, 2.0, 1.0, 3.0, 0.5]


def saturating(x: np.ndarray, b1: float, b2: float) -> np.ndarray:
    return b1 * (1 - np.exp(-b2 * x))


def slopes(function: Callable[..., np.ndarray], x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """df/dp by central differences: [B, P]."""
    steps = np.diag(1e-6 * np.abs(p))
    return np.stack([(function(x, *p + h) - function(x, *p - h)) / (2 * h.max()) for h in steps], 1)


def bands(weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Half the widths at AT of the curve's band; the values; q s."""
    x, y = np.array(X), np.array(Y)
    used = np.ones(len(x), bool) if weights is None else weights > 0
    sigma = None if weights is None else weights[used] ** -0.5
    p, covariance = curve_fit(saturating, x[used], y[used], [200, 0.5], sigma, absolute_sigma=False)
    at, left = AT[:, 0].numpy(), int(used.sum()) - 2
    e = (y - saturating(x, *p))[used] / (1 if sigma is None else sigma)
    j, q = slopes(saturating, at, p), student.ppf(0.975, left)
    half = q * np.sqrt(np.einsum("bi,ij,bj->b", j, covariance, j))
    return half, saturating(at, *p), float(q * np.sqrt(e @ e / left))


def column(part: np.ndarray | None) -> np.ndarray:
    assert part is not None
    return part[:, 0]


def outputs(result: Result) -> Outputs:
    return Fitted(result, result.best_run or 0).outputs(AT)


def test_the_bands_are_those_of_the_delta_method() -> None:
    half, value, noise = bands(None)
    drawn = outputs(fit())
    np.testing.assert_allclose(drawn.value[:, 0], value, rtol=1e-5)
    np.testing.assert_allclose(column(drawn.curve), half, rtol=1e-4)
    np.testing.assert_allclose(column(drawn.new), np.hypot(half, noise), rtol=1e-4)


def test_of_weights_that_differ_the_spread_of_new_measurements_is_not_known() -> None:
    half, value, _ = bands(np.array(WEIGHTS))
    table = {"x": X, "xy": Y, "w": WEIGHTS}
    drawn = outputs(fit(table=table, data={"columns": {"weights": "w"}}))
    np.testing.assert_allclose(drawn.value[:, 0], value, rtol=1e-5)
    np.testing.assert_allclose(column(drawn.curve), half, rtol=1e-4)
    assert drawn.new is None
    alike = fit(table=table | {"w": [4.0] * 8}, data={"columns": {"weights": "w"}})
    np.testing.assert_allclose(column(outputs(alike).new), column(outputs(fit()).new), rtol=1e-9)


def test_standardized_inputs_change_nothing() -> None:
    result = fit(data={"standardize": "inputs"}, initial={"b1": 200, "b2": 0.5, "c": 1}, expressions=[MOVED])
    plain = fit(initial={"b1": 200, "b2": 0.5, "c": 1}, expressions=[MOVED])
    for part in ("values", "curve"):
        got, wanted = (getattr(View(r, 0), part) for r in (result, plain))
        got, wanted = (each[1] if part == "curve" else each for each in (got, wanted))
        np.testing.assert_allclose(got.value, wanted.value, rtol=1e-6)
        np.testing.assert_allclose(column(got.curve), column(wanted.curve), rtol=1e-5)
    np.testing.assert_allclose(View(result, 0).inputs[:, 0], X)


@pytest.mark.parametrize("fixed", [[], ["c"]])
def test_what_the_data_leave_undetermined_has_the_band_of_what_they_tell(fixed: list[str]) -> None:
    """Of y = (a + b) x + c only the sum of a and b, as in y = a x + c."""
    table = {"x": X, "y": [1.1, 1.9, 3.2, 4.7, 7.1, 10.4, 11.8, 15.1]}
    initial = {"a": 1.0, "b": 1.0, "c": 0.0}
    sum_of_two = fit(["y = (a + b)*x + c"], table, initial, variables=["x", "y"], fixed=fixed)
    one = fit(["y = a*x + c"], table, {"a": 1.0, "c": 0.0}, variables=["x", "y"], fixed=fixed)
    assert sum_of_two.rows[0]["fit"]["undetermined"] == ["a", "b"]
    for part in ("curve", "new"):
        got, wanted = (column(getattr(outputs(result), part)) for result in (sum_of_two, one))
        np.testing.assert_allclose(got, wanted, rtol=1e-8)


def test_the_report_and_the_jacobian_give_one_covariance() -> None:
    for loss in ("sse", "cauchy"):
        fitted = Fitted(fit(loss=loss), 0)
        assert fitted.covariance is not None
        torch.testing.assert_close(fitted.covariance, fitted._of_jacobian(), rtol=1e-9, atol=0)


def test_a_fit_that_has_not_converged_has_no_bands() -> None:
    for result in (fit(steps=1), fit(optimizer="adam"), fit(table={"x": X[:2], "xy": Y[:2]})):
        drawn = outputs(result)
        assert drawn.curve is None and drawn.new is None and np.isfinite(drawn.value).all()
