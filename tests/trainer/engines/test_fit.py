"""What a Jacobian says about its parameters, and the report that is made of it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from packtrain.kernels.least_squares import CONVERGED, Problem, Status
from packtrain.kernels.least_squares.inference import Inference, combinations, infer
from packtrain.trainer.engines.fit import _quality, _sum_of
from packtrain.trainer.engines.notes import _listed, notes_of
from packtrain.trainer.engines.rows import Names, Rows, Some
from packtrain.trainer.engines.samples import EPS, Samples, measures
from tests.helpers import assert_close

NAMES = ["a", "b", "c", "d"]
WAVE = torch.arange(1.0, 9.0, dtype=torch.float64)
SAMPLES = Samples(np.array([5]), np.array([2.0]), np.array([3.0]), standardized=False, offset=lambda run: "")
ROUNDING = "the residuals are as small as rounding, and so standard errors are those of rounding"
OPEN = "the fit has not converged, so nothing is said of how uncertain its parameters are"


def root_of(jacobian: Tensor) -> Tensor:
    return torch.linalg.qr(jacobian, mode="r")[1][None]


def inferred(columns: Sequence[Tensor], free: Sequence[bool] | None = None) -> Inference:
    free = [True] * len(columns) if free is None else free
    return infer(root_of(torch.stack(list(columns), 1)), torch.tensor([free]))


def told(columns: Sequence[Tensor]) -> list[str]:
    return [_sum_of(NAMES[: len(columns)], row.tolist()) for row in combinations(inferred(columns), 0)]


A, B, C = WAVE, WAVE.sin(), WAVE.square() / 30


def test_a_well_posed_fit_has_the_inverse_as_covariance() -> None:
    found = inferred([A, B, C])
    jacobian = torch.stack([A, B, C], 1)
    assert found.rank.tolist() == [3] and not found.undetermined.any()
    assert_close(found.unscaled[0], torch.linalg.inv(jacobian.T @ jacobian))
    assert combinations(found, 0) == []


@pytest.mark.parametrize(
    ("columns", "rank", "undetermined", "combined"),
    [
        ([A, A, B], 2, "ab", ["a + b"]),
        ([A, -A, B], 2, "ab", ["a - b"]),
        ([A, 2 * A, B], 2, "ab", ["a + 2*b"]),
        ([4 * A, A, B], 2, "ab", ["a + 0.25*b"]),
        ([A, B, 0 * A], 2, "c", []),
        ([0 * A, 0 * A], 0, "ab", []),
        ([A, A, A], 1, "abc", ["a + b + c"]),
        ([A, A, B, 3 * B], 2, "abcd", ["a + b", "c + 3*d"]),
        ([A, B, A + B], 2, "abc", ["a + c", "b + c"]),
        ([A, B, A + B, 0 * A], 2, "abcd", ["a + c", "b + c"]),
        ([A, B, A, 0 * A], 2, "acd", ["a + c"]),
    ],
)
def test_open_directions_are_found_and_what_stays_determined(
    columns: list[Tensor], rank: int, undetermined: str, combined: list[str]
) -> None:
    found = inferred(columns)
    assert found.rank.tolist() == [rank]
    assert [n for n, u in zip(NAMES, found.undetermined[0].tolist(), strict=False) if u] == list(undetermined)
    assert told(columns) == combined


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1e12])
def test_units_make_no_difference(unit: float) -> None:
    plain, scaled = inferred([A, A, B]), inferred([A, A, B * unit])
    assert torch.equal(plain.undetermined, scaled.undetermined) and torch.equal(plain.rank, scaled.rank)
    assert_close(scaled.unscaled[0, 2, 2] * unit**2, plain.unscaled[0, 2, 2])
    badly = inferred([A * 1e9, B * 1e-9, C * unit])
    assert badly.rank.tolist() == [3] and not badly.undetermined.any()


def test_a_weak_direction_is_determined_as_long_as_rounding_is_weaker() -> None:
    found = inferred([A, A + 1e-9 * B])
    assert found.rank.tolist() == [2] and not found.undetermined.any()
    found = inferred([A, A + 1e-14 * B])
    assert found.rank.tolist() == [1] and found.undetermined.all()


def test_what_is_not_free_takes_no_part() -> None:
    found = inferred([A, A, B], [True, False, True])
    assert found.rank.tolist() == [2] and not found.undetermined.any()
    assert_close(found.unscaled[0, 1], torch.zeros(3, dtype=torch.float64))
    jacobian = torch.stack([A, B], 1)
    picked = found.unscaled[0][[0, 2]][:, [0, 2]]
    assert_close(picked, torch.linalg.inv(jacobian.T @ jacobian))


def test_runs_are_judged_apart() -> None:
    roots = torch.cat([root_of(torch.stack(columns, 1)) for columns in ([A, B, C], [A, A, B], [A, B, 0 * A])])
    found = infer(roots, torch.ones(3, 3, dtype=torch.bool))
    assert found.rank.tolist() == [3, 2, 2]
    assert found.undetermined.tolist() == [[False] * 3, [True, True, False], [False, False, True]]
    assert [len(combinations(found, run)) for run in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("coefficients", "text"),
    [
        ([1, 1], "a + b"),
        ([1, -1], "a - b"),
        ([-1, 2.5], "-a + 2.5*b"),
        ([1, 0, -3], "a - 3*c"),
        ([0, 1, 1 + 1e-9], "b + c"),
        ([1, 1 / 3], "a + 0.3333*b"),
        ([1, 1e7], "a + 1e+07*b"),
    ],
)
def test_a_combination_is_written_as_a_sum(coefficients: list[float], text: str) -> None:
    assert _sum_of(NAMES[: len(coefficients)], coefficients) == text


@pytest.mark.parametrize(
    ("words", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed(words: list[str], text: str) -> None:
    assert _listed(words) == text


def quality(rss: float, samples: Samples = SAMPLES) -> dict:
    return Rows({"index": range(1), "fit": _quality(np.array([rss]), np.array([2]), samples)})[0]["fit"]


def test_a_fit_without_residual_has_no_information_criterion() -> None:
    found = quality(0.0)
    assert found["residual_std"] == 0 and found["r_squared"] == 1 and found["degrees_of_freedom"] == 3
    assert found["aic"] is found["bic"] is None


@pytest.mark.parametrize("rss", [math.nan, math.inf])
def test_a_sum_of_squares_that_is_not_finite_leaves_no_degrees_of_freedom(rss: float) -> None:
    found = quality(rss)
    assert found["degrees_of_freedom"] is None and found["r_squared"] is None
    assert all(found[name] is None for name in ("residual_std", "aic", "bic"))
    assert notes(Status.NOT_FINITE, rss=rss) == []


def test_targets_that_dont_vary_have_no_r_squared() -> None:
    assert quality(1.0, replace(SAMPLES, spread=np.zeros(1)))["r_squared"] is None


def spread(targets: list[float], weights: list[float] | None = None) -> float:
    columns = torch.tensor(targets, dtype=torch.float64)[:, None]
    given = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    return float(measures(Problem(columns, columns, given))[0, 2])


def test_a_spread_that_is_rounding_is_none() -> None:
    """The mean of equal numbers may miss them by their last digit."""
    for value in (0.1, 1e8 + 0.1, 1e300 / 3, 1e-3):
        assert spread([value] * 7) == spread([value] * 1001) == 0
    assert spread([0.1, 0.1, 5.0], [1, 1, 0]) == 0
    assert spread([0.0, 0.0]) == 0


def test_targets_that_vary_a_little_have_a_spread() -> None:
    assert spread([1.0, 1.001]) == pytest.approx(5e-7, rel=1e-9)
    assert spread([1e6, 1e6 + 1]) == pytest.approx(0.5, rel=1e-3)
    assert spread([1.0, 3.0], [1, 3]) == pytest.approx(3.0)


def notes(status: Status, samples: Samples = SAMPLES, rss: float = 1.0, eps: float = EPS) -> list[str]:
    none = Names([], np.zeros((1, 0), bool))
    fit = _quality(np.array([rss]), np.array([2]), samples) | {"undetermined": none, "at_bound": none}
    rows = Rows({"index": range(1), "fit": fit | {"combinations": Some({}, 1, [])}})
    return notes_of(rows, np.array([status in CONVERGED]), samples, eps)[0]


@pytest.mark.parametrize("status", Status)
def test_a_fit_that_has_not_converged_says_so(status: Status) -> None:
    assert notes(status) == ([] if status in CONVERGED else [OPEN])


def test_residuals_as_small_as_rounding_are_told() -> None:
    single = torch.finfo(torch.float32).eps
    edge = float((400 * EPS * SAMPLES.size[0]) ** 2)
    assert notes(Status.COST, rss=0.99 * edge) == notes(Status.COST, rss=0.0) == [ROUNDING]
    assert notes(Status.COST, rss=1.01 * edge) == []
    assert notes(Status.COST, rss=1e-10, eps=single) == [ROUNDING]


def test_parameters_of_standardized_inputs_are_told() -> None:
    told = "the parameters are those of the standardized inputs (data.standardize)"
    assert notes(Status.COST, replace(SAMPLES, standardized=True)) == [told]
