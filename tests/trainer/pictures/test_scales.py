"""Axes that fit their values."""

from typing import Any

import numpy as np
import pytest

from packtrain.trainer.pictures.scales import Scale, decades, is_log, is_wide, shortened


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1e-3, 1e-2, 1e-1], True),
        ([1, 10, 100, 1000], True),
        ([1e-300, 1.0, 1e300], True),
        ([1.0, 50.0, 100.0], False),
        ([1.0, 2.0, 4.0], False),
        ([0.0, 1e-3, 1.0], False),
        ([None, 1e-3, 1.0], False),
        ([True, False], False),
        ([float("nan"), 1.0, 100.0], False),
    ],
)
def test_an_axis_is_logarithmic_where_values_are_spaced_so(values: list[Any], log: bool) -> None:
    assert is_log(values) == log


@pytest.mark.parametrize(
    ("losses", "wide"), [([6.4, 30.0, 12800.0], True), ([1.0, 99.0], False), ([0.0, 500.0], False)]
)
def test_losses_of_many_magnitudes_have_a_logarithmic_axis(losses: list[float], wide: bool) -> None:
    assert is_wide(losses) == wide


def test_zero_has_a_place_of_its_own_on_a_logarithmic_axis() -> None:
    scale = Scale.of([0, 1e-4, 1e-3, 1e-2, 0.1, 1])
    assert scale.kind == "symlog" and (np.diff(scale.even(scale.levels)) > 0.6).all()
    at, texts = scale.ticks or (None, None)
    assert texts == ["0", "0.0001", "0.001", "0.01", "0.1", "1"] and at is not None
    assert scale.shares[[0, -1]].tolist() == [0, 1]


def test_values_that_are_no_numbers_have_names_in_the_order_given() -> None:
    """A set's order would be that of hashes: of 24 orders of four words one is right by chance."""
    assert Scale.of([3, 1.5]).names == () and Scale.of([3, 1.5]).at.tolist() == [3, 1.5]
    scale = Scale.of([None, 10.0, 2.0, 10.0], [3, 1, 0, 2])
    assert (scale.at.tolist(), scale.names) == ([2, 1, 0, 1], ("2", "10", "null"))
    words = "sgd", "adamw", "[2, 10, 2]", "adam"
    assert Scale.of([words[run] for run in (2, 0, 3, 1)], [2, 0, 3, 1]).names == words


def test_numbers_that_no_axis_tells_apart_stand_side_by_side() -> None:
    scale = Scale.of([-1e6, 0.0, 1e-6, 1e6, 0.0])
    assert scale.names == ("-1e+06", "0", "1e-06", "1e+06") and scale.at.tolist() == [0, 1, 2, 3, 1]


def test_many_names_have_few_ticks_without_what_they_share() -> None:
    scale = Scale.of([f"/data/plates/plate_{run:04d}_measured.csv" for run in range(300)])
    at, texts = scale.ticks or ([], [])
    assert len(texts) <= 12 and texts[:2] == ["…0000…", "…0025…"] and at[1] == 25
    assert max(map(len, shortened(["x" * 40, "y" * 40]))) <= 18


def test_a_short_logarithmic_axis_has_ticks_between_the_powers() -> None:
    at, texts = decades(-2.2, -1.2)
    assert texts == ["0.01", "0.02", "0.05"] and np.allclose(10**at, [0.01, 0.02, 0.05])
    assert len(decades(-300, 300)[1]) <= 10
