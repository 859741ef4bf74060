"""Where the parameters of equations start, and within which bounds."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.config import schema
from packtrain.trainer.models.initial import bounds_of, draws, initial_values
from tests.helpers import assert_close
from tests.strategies import few

GRAPH = parse("xy = a*x + b*x^2 + c")
SEEDS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5)


def start(seeds: list[int], initial: dict[str, Any] | None = None, default: Any = (0, 1)) -> torch.Tensor:
    config = schema.ModelConfig("expression", initial_range=list(default))
    given = torch.tensor(seeds)
    return initial_values(config, GRAPH, initial or {}, draws(config, GRAPH, given, torch.zeros_like(given)))


@few
@given(seeds=SEEDS)
def test_a_runs_start_depends_on_its_seed_alone(seeds: list[int]) -> None:
    pack = start(seeds)
    assert pack.shape == (len(seeds), 3)
    for run, seed in enumerate(seeds):
        assert torch.equal(pack[run], start([seed])[0])


def bounds(given: Any) -> list[tuple[float, float]]:
    low, high = bounds_of(schema.ModelConfig("expression", bounds={"b": given}), GRAPH)
    return list(zip(low, high, strict=True))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 2], (1, 2)),
        ((0.5, None), (0.5, math.inf)),
        ([None, -3], (-math.inf, -3)),
        ([None, None], (-math.inf, math.inf)),
        ([1, math.nextafter(1, 2)], (1, math.nextafter(1, 2))),
        ([-math.inf, 0], (-math.inf, 0)),
    ],
)
def test_bounds_are_a_lowest_and_a_highest_value(given: Any, expected: tuple[float, float]) -> None:
    free = -math.inf, math.inf
    assert bounds(given) == [free, expected, free]


@pytest.mark.parametrize(
    "given",
    [
        [1, 1], [2, 1], [0.0, -0.0], [math.nan, 1], [1, math.nan], [True, 2], [0, True], ["0", 1], [0, [1]],
        [0], [0, 1, 2], [], 3, None, "01", {0: 1}, [math.inf, None], [None, -math.inf],
    ],
)  # fmt: skip
def test_what_bounds_nothing_is_refused(given: Any) -> None:
    with pytest.raises(UserError, match=r"model\.bounds\.b is \[low, high\] with low < high"):
        bounds(given)


@pytest.mark.parametrize(
    ("initial", "within"),
    [
        (-1, True), (2, True), ([-1, 2], True), (0.5, True),
        (math.nextafter(-1, -2), False), (math.nextafter(2, 3), False), ([-1.5, 0], False), ([0, 2.5], False),
    ],
)  # fmt: skip
def test_parameters_start_within_their_bounds(initial: Any, within: bool) -> None:
    config = schema.ModelConfig("expression", initial_range=[0, 1], bounds={"b": [-1, 2]})
    drawn = torch.zeros(1, 3, dtype=torch.float64)
    if within:
        initial_values(config, GRAPH, {"b": [initial]}, drawn)
        return
    with pytest.raises(UserError, match=r"model\.bounds keeps b within \[-1, 2\], and it starts at"):
        initial_values(config, GRAPH, {"b": [initial]}, drawn)


def test_seeds_and_parameters_start_apart() -> None:
    values = start([0, 1, 2, 3])
    assert len(values.unique()) == values.numel()
    assert values.min() >= 0 and values.max() < 1


def test_a_start_is_given_by_name_by_range_or_by_run() -> None:
    values = start([5, 6], {"a": [2.5, [10, 11]], "c": [[-3, -2], 7]}, (100, 101))
    assert values[0, 0] == 2.5 and 10 <= values[1, 0] < 11
    assert -3 <= values[0, 2] < -2 and values[1, 2] == 7
    assert ((values[:, 1] >= 100) & (values[:, 1] < 101)).all()


def test_a_range_scales_the_draw_of_the_seed() -> None:
    assert_close(start([3], default=(-2, 4)), start([3]) * 6 - 2)


@pytest.mark.parametrize(
    ("initial", "default", "message"),
    [
        ({"aa": [1]}, (0, 1), "model.initial: the equations have no parameter 'aa'.*they have a, b, c"),
        ({"a": ["x"]}, (0, 1), r"model.initial.a is a number or a range \[low, high\]; got 'x'"),
        ({"a": [None]}, (0, 1), "model.initial.a is a number or a range"),
        ({"a": [True]}, (0, 1), "model.initial.a is a number or a range"),
        ({"a": [[2, 1]]}, (0, 1), "model.initial.a is a number or a range"),
        ({"a": [[1, 2, 3]]}, (0, 1), "model.initial.a is a number or a range"),
        ({"a": [[0, float("inf")]]}, (0, 1), "model.initial.a is a number or a range"),
        ({"a": [float("nan")]}, (0, 1), "model.initial.a is a number or a range"),
        ({}, (1, 0), "model.initial_range is a number or a range"),
        ({}, (1,), "model.initial_range is a number or a range"),
    ],
)
def test_a_start_that_is_none_is_refused(initial: dict[str, Any], default: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        start([0], initial, default)
