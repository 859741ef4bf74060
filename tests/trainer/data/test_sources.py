"""Where samples come from."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from tests.helpers import assert_close
from tests.trainer.data.loading import load


def test_a_file_is_read_for_a_graph_and_for_an_mlp(tmp_path: Path) -> None:
    columns = {"x": [1.0, 2.0], "xb": [3.0, 4.0], "xy": [5.0, 6.0], "xz": [7.0, 8.0], "kind": ["u", "v"]}
    path = str(tmp_path / "points.parquet")
    pyarrow.parquet.write_table(pa.table(columns), path)
    assert load("file", path=path).train.targets.tolist() == [[5, 7], [6, 8]]
    data = load("file", None, "cross_entropy", path=path, columns={"targets": "kind"}).train
    assert data.input_names == ("x", "xb", "xy", "xz") and data.target_names == ("u", "v")


@pytest.mark.parametrize("cell", ["", "abc", "nan"])
def test_a_csv_cell_is_named_with_file_row_and_column(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(f"x,xb,xy,xz\n1,2,3,4\n1,{cell},3,4\n")
    message = {"": "nothing", "nan": "nan"}.get(cell, f"'{cell}'")
    with pytest.raises(UserError) as refused:
        load("file", path=str(path))
    mend = "; data.missing=drop leaves such rows out, and impute fills inputs in" if cell != "abc" else ""
    assert str(refused.value) == f"{path}, row 2, column xb: expected a finite number, got {message}{mend}"


def test_an_empty_label_of_a_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("a,target\n1,NA\n2,\n")
    with pytest.raises(UserError, match=r"row 2, column target: expected a class label, got nothing"):
        load("file", None, "cross_entropy", path=str(tmp_path / "points.csv"))


def test_large_offsets_survive_standardization_in_single_precision() -> None:
    times = [1.6e9 + second for second in range(10)]
    data = load(
        "table",
        parse("xy = a*x"),
        table={"x": times, "xy": [*range(10)]},
        standardize=True,
        dtype=torch.float32,
    )
    expected = (torch.arange(10.0) - 4.5) / torch.arange(10.0).std(correction=0)
    assert_close(data.train.inputs[:, 0], expected)


def test_a_table_stands_in_the_config() -> None:
    data = load("table", parse("xy = a*x"), table={"x": [1, 2], "height": [3, 4]}, columns={"xy": "height"})
    assert data.train.inputs.tolist() == [[1], [2]] and data.train.targets.tolist() == [[3], [4]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "data.table is empty"),
        ({"x": [], "xy": []}, "data.table is empty"),
        ({"x": [1], "xy": [1, 2]}, "data.table: the columns differ in length: x 1, xy 2"),
        ({"x": [1, "a"], "xy": [1, 2]}, "data.table, row 2, column x: expected a finite number, got 'a'"),
        (
            {"x": [1, None], "xy": [1, 2]},
            "data.table, row 2, column x: expected a finite number, got nothing",
        ),
        (
            {"x": [[1], [2]], "xy": [1, 2]},
            r"data.table: x is a list of numbers or words; got \[\[1\], \[2\]\]",
        ),
        ({"x": [[1], [1, 2]], "xy": [1, 2]}, "data.table: x is a list"),
        ({"x": {"a": 1}, "xy": [1]}, "data.table: x is a list"),
    ],
)
def test_a_table_that_is_none_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("table", parse("xy = a*x"), table=table)


@pytest.mark.parametrize(
    ("name", "size", "features", "classes"),
    [("iris", 150, 4, 3), ("digits", 1797, 64, 10), ("wine", 178, 13, 3)],
)
def test_sklearn_sets_have_their_shapes(name: str, size: int, features: int, classes: int) -> None:
    data = load("sklearn", None, "cross_entropy", set=name).train
    assert data.inputs.shape == (size, features) and len(data.target_names) == classes
    assert np.array_equal(data.targets.unique(), range(classes))


def test_a_sklearn_set_of_numbers_has_a_target() -> None:
    data = load("sklearn", None, "mse", set="diabetes").train
    assert data.inputs.shape == (442, 10) and data.target_names == ("target",)


@pytest.mark.parametrize("name", ["digit", None, "covtype"])
def test_an_unknown_sklearn_set_is_refused(name: str | None) -> None:
    with pytest.raises(
        UserError, match=r"data.set is one of digits, iris, wine, breast_cancer, diabetes; got"
    ):
        load("sklearn", None, "cross_entropy", set=name)


@pytest.mark.parametrize(
    ("loss", "expected", "refused"),
    [("poisson", "0 or more", -1.0), ("binary_cross_entropy", "0 to 1", 1.5)],
)
def test_targets_without_a_least_loss_are_refused(loss: str, expected: str, refused: float) -> None:
    line = parse("y = a*x")
    assert len(load("table", line, loss, table={"x": [1, 2], "y": [0, 1]}).train) == 2
    with pytest.raises(
        UserError, match=rf"model\.loss={loss} takes targets of {expected}; y has {refused:g}"
    ):
        load("table", line, loss, table={"x": [1, 2], "y": [0, refused]})
