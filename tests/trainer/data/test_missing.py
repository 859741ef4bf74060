"""data.missing: rows without a value are refused, left out, or their inputs filled in."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Data
from tests.helpers import assert_close
from tests.trainer.data.loading import load

COLUMNS = {
    "age": [1.0, None, "NA", 4.0, 5.0],
    "colour": ["red", "", "blue", "red", "red"],
    "unused": [None] * 5,
    "target": [1, 2, 3, 4, None],
}
INPUTS = {"inputs": ["age", "colour"], "targets": "target"}


def mlp(missing: str, columns: dict[str, Any] = COLUMNS, loss: str = "mse", **fields: Any) -> Data:
    return load("table", None, loss, table=columns, missing=missing, **{"columns": INPUTS, **fields})


def test_what_is_missing_is_refused_unless_something_else_is_said() -> None:
    with pytest.raises(UserError, match=r"row 2, column age: .*, got nothing; data.missing=drop leaves"):
        mlp("refuse", COLUMNS | {"target": [1, 2, 3, 4, 5]})


def test_rows_that_lack_what_is_used_are_left_out_and_counted() -> None:
    data = mlp("drop")
    assert data.train.inputs.tolist() == [[1, 0, 1], [4, 0, 1]]
    assert data.train.targets.tolist() == [[1], [4]]
    assert [data.train.row(sample) for sample in range(2)] == [1, 4], "errors name rows of the file"
    assert data.notes[1] == (
        "data.table: 3 of 5 rows have a missing value and are left out (data.missing=drop): "
        "age 2, colour 1, target 1"
    )


CELLS = st.one_of(st.none(), st.integers(0, 9))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=9))
def test_as_many_rows_are_left_as_pandas_leaves(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "w", "y"], dtype=object)
    kept = frame.dropna()
    assume(len(kept) and any(kept["w"]))
    columns = {name: [row[i] for row in rows] for i, name in enumerate(frame)}
    data = load("table", parse("y = a*x"), table=columns, columns={"weights": "w"}, missing="drop").train
    assert data.inputs[:, 0].tolist() == kept["x"].tolist()
    assert data.weights is not None and data.weights.tolist() == kept["w"].tolist()


def test_a_missing_class_is_left_out() -> None:
    columns = {"x": [1, 2, 3, 4], "target": ["b", "", "a", "b"]}
    for loss, outputs in (("cross_entropy", [[1], [0], [1]]), ("mse", [[0, 1], [1, 0], [0, 1]])):
        data = load("table", parse(["u = a*x", "v = b*x"]), loss, table=columns, missing="drop")
        assert data.train.targets.tolist() == outputs and data.train.target_names == ("a", "b")
        assert data.notes[0].endswith("(data.missing=drop): the class 1") or "target 1" in data.notes[0]


def test_no_row_left_is_refused() -> None:
    with pytest.raises(UserError, match=r"drop leaves no row, since each lacks a value: x 1, y 1"):
        load("table", parse("y = a*x"), table={"x": [1, None], "y": [None, 2]}, missing="drop")


def test_inputs_are_filled_in_as_scikit_learn_does_by_the_training_part() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 2))
    x[generator.random((40, 2)) < 0.3] = np.nan
    columns = {"a": x[:, 0].tolist(), "b": x[:, 1].tolist(), "target": list(range(40))}
    data = load("table", None, table=columns, missing="impute", validation=0.25)
    assert data.validation is not None and len(data.validation) == 10
    rows = [[part.row(i) - 1 for i in range(len(part))] for part in (data.train, data.validation)]
    imputer: Any = SimpleImputer().fit(x[rows[0]])
    for part, places in zip((data.train, data.validation), rows, strict=True):
        assert_close(part.inputs, torch.from_numpy(imputer.transform(x[places])))
    fills = [feature.fill for feature in data.train.features]
    assert_close(torch.tensor(fills, dtype=torch.float64), torch.from_numpy(imputer.statistics_))
    count = int(np.isnan(x[:, 0]).sum())
    assert data.notes[0] == (
        f"a: {count} missing values became the mean, {imputer.statistics_[0]:.6g} (data.missing=impute)"
    )


def test_filled_inputs_are_standardized_as_they_then_are() -> None:
    columns = {"x": [1, 3, None], "target": [1, 2, 3]}
    data = load("table", None, table=columns, missing="impute", standardize=True)
    assert_close(data.train.inputs[:, 0], torch.tensor([-1, 1, 0], dtype=torch.float64) * 1.5**0.5)


def test_missing_words_are_a_category_of_their_own() -> None:
    data = mlp("impute", COLUMNS | {"target": [1, 2, 3, 4, 5]})
    assert data.train.input_names == ("age", "colour=blue", "colour=missing", "colour=red")
    assert data.train.inputs[1].tolist() == [10 / 3, 0, 1, 0]
    assert data.notes[0].endswith("; missing are 1 of them (data.missing=impute)")


def test_ordinal_words_and_dates_are_filled_in() -> None:
    columns = {
        "size": ["s", "l", "s", ""],
        "day": ["2024-01-01", "", "2024-01-03", ""],
        "target": [1, 2, 3, 4],
    }
    data = load("table", None, table=columns, missing="impute", encode={"size": ["s", "l"]})
    assert data.train.inputs.tolist() == [[0, 0], [1, 86400], [0, 172800], [0, 86400]]
    assert data.notes[2:] == (
        "size: 1 missing value became the most frequent, s (data.missing=impute)",
        "day: 2 missing values became the mean, 2024-01-02T00:00:00 (data.missing=impute)",
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [1, 2], "target": [1, None]}, "row 2, column target: expected a finite number, got nothing"),
        ({"x": [None, None], "target": [1, 2]}, "column x has no value in the training part"),
    ],
)
def test_what_cant_be_filled_in_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("table", None, table=columns, missing="impute")


def test_words_are_missing_in_no_way(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x,y\n1,2\noops,3\n")
    for missing in ("refuse", "drop", "impute"):
        with pytest.raises(UserError, match=r"points.csv, row 2, column x: .* got 'oops'"):
            load("file", parse("y = a*x"), path=str(tmp_path / "points.csv"), missing=missing)
