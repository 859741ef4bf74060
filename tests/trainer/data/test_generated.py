"""Samples that are made: of equations, and of Gaussian classes."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.expression import expression
from packtrain.kernels.language import parse
from packtrain.trainer.data import generated
from packtrain.trainer.data.dataset import Dataset
from tests.helpers import assert_close
from tests.strategies import few
from tests.trainer.data.loading import GRAPH, load

TRUTH = {"a": 2, "b": 3}


def made(dtype: torch.dtype = torch.float64, **fields: Any) -> Dataset:
    return load("ground_truth", dtype=dtype, **({"size": 1000, "truth": TRUTH} | fields)).train


def test_targets_are_the_equations_of_the_inputs() -> None:
    data = made(range=[-1, 4])
    x, xb = data.inputs.unbind(1)
    assert_close(data.targets, torch.stack([2 * x + 3 * xb**2, 4 * x + 3 * xb**2], 1))
    assert data.input_names == ("x", "xb") and data.target_names == ("xy", "xz")


def test_inputs_are_uniform_in_the_range() -> None:
    inputs = made(size=20000, range=[-1, 4]).inputs
    assert -1 <= inputs.min() < -0.99 and 3.99 < inputs.max() < 4
    deciles = torch.histc(inputs, 10, -1, 4) / inputs.numel()
    assert (deciles - 0.1).abs().max() < 0.01


def test_noise_has_the_asked_deviation_and_mean_0() -> None:
    noise = made(size=20000, noise=0.5).targets - made(size=20000).targets
    assert torch.equal(made(noise=0.5).inputs, made().inputs)
    assert abs(noise.std().item() - 0.5) < 0.01 and abs(noise.mean().item()) < 0.01
    assert abs(torch.corrcoef(noise.T)[0, 1].item()) < 0.03


@few
@given(block=st.integers(1, 120))
def test_blocks_make_no_difference(block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = made(size=100, noise=0.1)
        patch.setattr(generated, "BLOCK", block)
        parts = made(size=100, noise=0.1)
    assert torch.equal(parts.inputs, whole.inputs) and torch.equal(parts.targets, whole.targets)


def test_both_precisions_hold_the_same_samples() -> None:
    single, double = made(torch.float32, noise=0.1), made(noise=0.1)
    assert single.inputs.dtype == single.targets.dtype == torch.float32
    assert_close(single.inputs, double.inputs, torch.float32)
    assert_close(single.targets, double.targets, torch.float32)


def test_the_samples_depend_on_the_seed() -> None:
    assert torch.equal(made(seed=1).inputs, made(seed=1).inputs)
    assert not torch.equal(made(seed=1).inputs, made(seed=2).inputs)
    assert torch.equal(made(seed=1, size=10).inputs, made(seed=1).inputs[:10])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"truth": {"a": 1}}, r"data.truth gives a value to each .*\(a, b\); missing: b; unknown: none"),
        ({"truth": TRUTH | {"c": 1}}, "missing: none; unknown: c"),
        ({"graph": parse("y = a*t"), "truth": {"a": 1}}, "; or make t an input: 'model.variables="),
        ({"truth": TRUTH | {"a": "two"}}, "data.truth.a is a number; got 'two'"),
        ({"truth": TRUTH | {"a": None}}, "data.truth.a is a number; got None"),
        ({"truth": TRUTH | {"a": [1]}}, r"data.truth.a is a number; got \[1\]"),
        ({"truth": TRUTH | {"a": math.inf}}, "xy is not finite everywhere in data.range"),
        ({"range": [1, 0]}, r"data.range is \[low, high\] with low < high; got \[1, 0\]"),
        ({"range": [1]}, "data.range is"),
        ({"range": [0, math.inf]}, "data.range is"),
        ({"range": [math.nan, 1]}, "data.range is"),
        ({"size": None}, "data=ground_truth needs a number of samples: add data.size=65536"),
        ({"graph": None}, "an MLP has none"),
        ({"loss": "cross_entropy"}, "data=ground_truth makes numbers, and model.loss=cross_entropy"),
    ],
)
def test_ground_truth_that_cant_be_made_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        load("ground_truth", **({"size": 10, "truth": TRUTH} | fields))
    assert "\n" not in str(refused.value)


def test_the_output_that_is_not_finite_is_named() -> None:
    with pytest.raises(UserError, match=r"xz is not finite everywhere"):
        load("ground_truth", parse(["xy = a*x", "xz = log(a*x)"]), size=9, truth={"a": 1}, range=[-1, 1])


MEANS = [[1, 2], [5, -3], [0, 0]]
COVARIANCES = [[[1, 0.5], [0.5, 2]], [[1, 0], [0, 1]], [[3, -1], [-1, 0.5]]]


def test_gaussians_have_the_asked_means_and_covariances() -> None:
    data = load("gaussians", None, "cross_entropy", size=30000, means=MEANS, covariances=COVARIANCES).train
    assert data.target_names == ("0", "1", "2") and data.input_names == ("x1", "x2")
    for label in range(3):
        samples = data.inputs[data.targets[:, 0] == label]
        assert len(samples) == 10000
        assert (samples.mean(0) - torch.tensor(MEANS[label])).abs().max() < 0.06
        assert (torch.cov(samples.T) - torch.tensor(COVARIANCES[label])).abs().max() < 0.12


def test_gaussians_without_covariances_have_the_identity() -> None:
    samples = load("gaussians", None, "cross_entropy", size=20000, means=[[0, 0], [0, 0]]).train.inputs
    assert (torch.cov(samples.T) - torch.eye(2)).abs().max() < 0.04


@pytest.mark.parametrize(
    "means", [None, [], [[1, 2]], [[1], [1, 2]], [3, 4], [["a"], ["b"]], [[], []], [[1], [math.nan]]]
)
def test_means_that_are_no_points_are_refused(means: Any) -> None:
    with pytest.raises(UserError, match=r"data.means holds two or more points of one length"):
        load("gaussians", None, "cross_entropy", size=10, means=means)


@pytest.mark.parametrize(
    "covariances",
    [
        [[[1, 0], [0, 1]]],
        [[[1, 0.5], [0.4, 1]]] * 2,
        [[[1, 2], [2, 1]]] * 2,
        [[[0, 0], [0, 0]]] * 2,
        [[1, 1], [1, 1]],
        [[["a", 0], [0, 1]]] * 2,
        [[[math.nan, 0], [0, 1]]] * 2,
    ],
)
def test_covariances_that_are_none_are_refused(covariances: Any) -> None:
    with pytest.raises(UserError, match=r"data.covariances holds a symmetric positive definite 2x2 matrix"):
        load("gaussians", None, "cross_entropy", size=10, means=[[1, 2], [3, 4]], covariances=covariances)


def test_truth_is_what_a_prediction_by_it_says() -> None:
    data = made()
    parameters = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    assert_close(data.targets, expression(GRAPH, parameters, data.inputs)[0])
