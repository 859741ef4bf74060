"""What people hold in Python becomes one table, or one sentence."""

import time

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.frames import frame_like, table_of

COLUMNS = {"t": [0.5, 1.5, 2.5], "plate": ["a", "b", "a"], "n": [1, 2, 3], "good": [True, False, True]}


@pytest.mark.parametrize("frame", [dict, pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.table])
def test_frames_have_their_columns(frame: type) -> None:
    table = table_of(frame(COLUMNS))
    assert {name: column.tolist() for name, column in table.columns.items()} == COLUMNS


def test_missing_cells_are_named() -> None:
    frames = (
        pandas.DataFrame({"x": pandas.array([1, None], dtype="Int64")}),
        polars.DataFrame({"x": [1, None]}),
        pyarrow.table({"x": [1.5, None]}),
        {"x": [1.5, None]},
    )
    for frame in frames:
        with pytest.raises(UserError, match="data, row 2, column x: expected a finite number"):
            table_of(frame).numbers("x", "a test")


def test_arrays_of_two_axes_are_columns() -> None:
    table = table_of(
        {"x": torch.arange(6.0, dtype=torch.bfloat16).reshape(3, 2).requires_grad_(), "y": (1, 2, 3)}
    )
    assert table.names == ["x_0", "x_1", "y"] and table.columns["x_1"].tolist() == [1, 3, 5]


def test_a_million_rows_take_a_moment() -> None:
    frame = pandas.DataFrame({name: np.random.default_rng(0).random(10**6) for name in "abcd"})
    began = time.perf_counter()
    table = table_of(frame)
    assert time.perf_counter() - began < 0.5
    assert table.rows(["a", "d"]) == 10**6


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (3, "data is a frame of pandas.*; got int"),
        (np.zeros((2, 2)), r"got ndarray of the shape \[2, 2\], without names"),
        (pandas.Series([1, 2]), "got Series"),
        (pandas.DataFrame(np.zeros((1, 2)), columns=["a", "a"]), "the frame can't be read: .*unique"),
        (pandas.DataFrame(), "data is empty"),
        ({}, "data is empty"),
        ({"a": [[1], [1, 2]]}, "data, a: expected as many numbers in each row"),
        ("nowhere.csv", "there is no file nowhere.csv"),
    ],
)
def test_what_is_no_table_is_said(data: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        table_of(data)


def test_results_come_as_the_data_did() -> None:
    columns = {"a": np.array([1.5]), "run": [0]}
    for frame in (pandas.DataFrame, polars.DataFrame, pyarrow.table):
        mine = frame_like(frame(COLUMNS), columns)
        assert type(mine) is type(frame(columns)) and table_of(mine).columns["a"].tolist() == [1.5]
    assert isinstance(frame_like(polars.LazyFrame(COLUMNS), columns), polars.DataFrame)
    assert isinstance(frame_like(COLUMNS, columns), pyarrow.Table)
