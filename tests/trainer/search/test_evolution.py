"""CMA-ES, round by round."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.search.evolution import SMALLEST, Generation, next_generation
from packtrain.trainer.search.space import Interval, Point
from tests.strategies import few

SPACE = {
    "optimizer.lr": Interval(1e-6, 1.0, log=True),
    "optimizer.beta1": Interval(0.0, 0.99),
    "loop.steps": Interval(1, 50, integer=True),
}
BEST: Point = {"optimizer.lr": 1e-4, "optimizer.beta1": 0.7, "loop.steps": 40}


def cost(point: Point) -> float:
    """The squared distance to BEST, in shares, most of it from one field."""
    away = {field: values.share(point[field]) - values.share(BEST[field]) for field, values in SPACE.items()}
    return sum((30 if field == "optimizer.beta1" else 1) * share**2 for field, share in away.items())


def searched(rounds: int, runs: int, seed: int = 0) -> list[Generation]:
    found: list[Generation] = []
    for _ in range(rounds):
        found.append([(point, cost(point)) for point in next_generation(SPACE, seed, runs, found)])
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_minimum_is_found(seed: int) -> None:
    point, least = min(searched(25, 8, seed)[-1], key=lambda each: each[1] or 0.0)
    assert least is not None and least < 1e-3
    assert point["loop.steps"] == pytest.approx(BEST["loop.steps"], abs=1)
    assert math.log10(point["optimizer.lr"]) == pytest.approx(-4, abs=0.2)


def test_a_generation_is_the_seeds_and_its_number_and_what_those_before_came_to() -> None:
    told = searched(3, SMALLEST)
    expected = next_generation(SPACE, 0, SMALLEST, told)
    assert next_generation(SPACE, 0, SMALLEST, told) == expected
    assert next_generation(SPACE, 1, SMALLEST, told) != expected
    reversed_cost = [[(point, -(value or 0.0)) for point, value in each] for each in told]
    assert next_generation(SPACE, 0, SMALLEST, reversed_cost) != expected
    firsts = [each[0][0] for each in told] + expected[:1]
    assert len({point["optimizer.lr"] for point in firsts}) == 4


def test_what_came_to_nothing_is_the_worst_of_its_generation() -> None:
    (told,) = searched(1, 6)
    dear = [(point, 1e9 if place in (1, 4) else value) for place, (point, value) in enumerate(told)]
    failed = [(point, None if place in (1, 4) else value) for place, (point, value) in enumerate(told)]
    assert next_generation(SPACE, 0, 6, [failed]) == next_generation(SPACE, 0, 6, [dear])
    assert next_generation(SPACE, 0, 6, [failed]) != next_generation(SPACE, 0, 6, [told])


def test_a_generation_that_came_to_nothing_teaches_nothing() -> None:
    (told,) = searched(1, 6)
    nothing: Generation = [(point, None) for point, _ in told]
    assert next_generation(SPACE, 0, 6, [nothing, told]) == next_generation(SPACE, 0, 6, [told, nothing])
    assert next_generation(SPACE, 0, 6, [nothing]) != [point for point, _ in told]


@few
@given(st.integers(0, 2**32), st.integers(SMALLEST, 9), st.data())
def test_points_lie_in_their_space(seed: int, runs: int, data: st.DataObject) -> None:
    told: list[Generation] = []
    for _ in range(3):
        points = next_generation(SPACE, seed, runs, told)
        assert len(points) == runs
        for field, values in SPACE.items():
            assert all(values.low <= point[field] <= values.high for point in points)
        assert all(isinstance(point["loop.steps"], int) for point in points)
        any_value = st.none() | st.floats(allow_nan=False, allow_infinity=False)
        told.append([(point, data.draw(any_value)) for point in points])
