"""A table's columns, read as numbers or as class labels."""

from typing import Any

import numpy as np
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.table import Table


@pytest.mark.parametrize("columns", [{}, {"x": np.array([])}])
def test_an_empty_table_is_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"points.csv is empty: expected named columns"):
        Table("points.csv", columns)


def test_a_column_that_cant_be_used_says_why_where_it_is_asked_for() -> None:
    table = Table("points.csv", {"x": np.array([1, 2])}, {"y": "two columns are called y"})
    assert table.names == ["x", "y"] and table.numbers("x", "x").tolist() == [1, 2]
    with pytest.raises(UserError, match=r"points.csv, y for the targets: two columns are called y"):
        table.column("y", "the targets")


def test_integers_that_float64_cant_hold_apart_are_refused() -> None:
    large = 2**53
    assert Table("t", {"x": np.array([0, large])}).numbers("x", "x").tolist() == [0, large]
    for dtype in (np.int64, object):
        column = np.array([large, large + 1, large + 2, large + 3], dtype)
        with pytest.raises(UserError, match=f"subtract an offset.*such as the smallest, {large}"):
            Table("t", {"x": column}).numbers("x", "x")


def test_classes_are_sorted_and_counted_from_0() -> None:
    labels, index = Table("t", {"k": np.array(["b", "a", "b"])}).classes("k", "the targets")
    assert labels == ("a", "b") and index.tolist() == [1, 0, 1]
