from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from packtrain.kernels.expression import finite_difference, reference
from packtrain.kernels.language import parse
from tests.helpers import assert_close
from tests.losses import LOSSES
from tests.strategies import Case, cases, data, many

PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"


def primer(loss: str, per_run: bool = False) -> Case:
    return data(parse(PRIMER), loss, runs=3, samples=7, per_run=per_run, seed=3)


def exact(case: Case) -> tuple[Tensor, Tensor]:
    return reference.loss_and_gradient(case.graph, case.parameters, case.inputs, case.targets, case.loss)


def differences(case: Case, delta: float) -> tuple[Tensor, Tensor]:
    given = case.graph, case.parameters, case.inputs, case.targets, case.loss
    return finite_difference.loss_and_gradient(*given, delta=delta)


def error(case: Case, delta: float) -> float:
    """The largest error of the gradient, as a part of the largest gradient."""
    expected = exact(case)[1]
    return float((differences(case, delta)[1] - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("loss", ["mse", "sse"])
@pytest.mark.parametrize("per_run", [False, True])
def test_the_primers_gradient_comes_near_the_exact_one(loss: str, per_run: bool) -> None:
    # (f(u + d) - f(u))/d errs by d f''/2, here a few d, and by rounding of 1e-16/d
    assert error(primer(loss, per_run), 1e-6) < 1e-5


def test_cross_entropy_goes_through_the_same_chain() -> None:
    case = data(parse(PRIMER, ["xy", "xw"]), "cross_entropy", runs=3, samples=7, per_run=False, seed=3)
    assert error(case, 1e-6) < 1e-5


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_the_references(loss: str) -> None:
    case = data(parse(PRIMER, ["xw", "xy"]), loss, runs=3, samples=7, per_run=False, seed=3)
    assert_close(differences(case, 1e-3)[0], exact(case)[0])


def test_a_branch_that_is_not_taken_has_no_part() -> None:
    """Its own differences are NaN."""
    graph = parse("xy = where(relu(x - 1), a*x, b*log(x - 1))")
    case = data(graph, "mse", runs=2, samples=1, per_run=True, seed=3)
    taken = replace(case, inputs=case.inputs.abs() + 2)
    assert error(taken, 1e-6) < 1e-5 and not exact(taken)[1][:, 1].any()


def test_the_error_falls_in_proportion_to_the_delta() -> None:
    errors = [error(primer("mse"), delta) for delta in (1e-2, 1e-3, 1e-4, 1e-5)]
    for large, small in pairwise(errors):
        assert 8 < large / small < 12  # a first-order method: ten times smaller, ten times better


def test_the_partials_are_forward_differences_of_each_vertex() -> None:
    graph = parse("xa = a^2\nxb = xa^2")
    one = torch.ones(1, 1, dtype=torch.float64)
    _, slope = finite_difference.loss_and_gradient(graph, 3 * one, one[:, :0], 0 * one, "sse", delta=0.5)
    by_a, by_xa, by_xb = (3.5**2 - 9) / 0.5, (9.5**2 - 81) / 0.5, 2 * 81
    assert_close(slope, one * by_a * by_xa * by_xb)


@many
@given(cases(smooth=True))
def test_random_graphs_agree_with_the_exact_gradient(case: Case) -> None:
    # Two deltas give the limit with an error of the order d^2 = 1e-8; rounding adds 1e-16/d = 1e-12.
    # Both grow with the higher derivatives of the graph, for which the rest of the 1e-4 is left.
    expected = exact(case)[1]
    assume(expected.isfinite().all() and expected.abs().max() < 1e6)
    limit = 2 * differences(case, 5e-5)[1] - differences(case, 1e-4)[1]
    assert (limit - expected).abs().max() <= 1e-4 * expected.abs().max().clamp(min=1)


def test_a_parameter_that_reaches_no_output_has_the_gradient_0() -> None:
    case = data(parse("xy = a*x\nxz = b*x", ["xy"]), "mse", runs=2, samples=3, per_run=False, seed=1)
    assert differences(case, 1e-6)[1][:, 1].tolist() == [0, 0]


@pytest.mark.parametrize("text", ["xy = a", "xy = a*x\nxz = 3", "xy = a*x\nxz = x^2"])
@pytest.mark.parametrize("per_run", [False, True])
def test_outputs_of_any_shape_have_a_gradient(text: str, per_run: bool) -> None:
    case = data(parse(text), "mse", runs=3, samples=4, per_run=per_run, seed=1)
    value, slope = differences(case, 1e-6)
    assert value.shape == (3,) and slope.shape == case.parameters.shape
    assert error(case, 1e-6) < 1e-5


def test_a_run_that_is_nan_leaves_its_neighbours_untouched() -> None:
    case = primer("mse")
    clean = differences(case, 1e-6)[1]
    case.parameters[1] = torch.nan
    dirty = differences(case, 1e-6)[1]
    assert dirty[1].isnan().all()
    assert dirty[[0, 2]].equal(clean[[0, 2]])
