"""Words and dates as inputs: what is learned of a table, and applied to any other."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.cells import times
from packtrain.trainer.data.encode import MOST, learn
from packtrain.trainer.data.features import Feature, apply, as_data, from_data, input_names
from packtrain.trainer.data.table import Table
from tests.trainer.data.loading import load


def table(**columns: Any) -> Table:
    cells = {name: np.asarray(column) for name, column in columns.items()}
    return Table("cars.csv", cells)


def objects(*cells: Any) -> np.ndarray:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def learned(whole: Table, of_graph: bool = False, fill: bool = False, **encode: Any) -> tuple[Feature, ...]:
    return learn(whole, {name: name for name in whole.columns}, encode, of_graph, fill)


def encoded(whole: Table, **encode: Any) -> list[list[float]]:
    return apply(learned(whole, **encode), whole).tolist()


WORDS = st.lists(st.sampled_from(["red", "blue", "green", "x y", "é"]), min_size=1, max_size=9)


@given(WORDS)
def test_onehot_and_ordinal_are_as_scikit_learn_has_them(words: list[str]) -> None:
    column = np.array(words)[:, None]
    whole = table(colour=words)
    onehot: Any = OneHotEncoder(sparse_output=False).fit(column)
    assert encoded(whole) == onehot.transform(column).tolist()
    names = [f"colour={category}" for category in onehot.categories_[0]]
    assert [*input_names(learned(whole))] == names
    assert encoded(whole, colour="ordinal") == OrdinalEncoder().fit_transform(column).tolist()


@given(st.lists(st.datetimes(), min_size=1, max_size=9))
def test_seconds_are_as_pandas_counts_them(moments: list[Any]) -> None:
    column = np.array(moments, dtype="datetime64[us]")
    expected = [(moment - min(moments)).total_seconds() for moment in moments]
    for cells in (column, objects(*moments), column.astype(str)):
        (feature,) = learned(table(at=cells), at="seconds")
        assert feature.kind == "seconds" and feature.origin is not None
        assert np.datetime64(feature.origin) == column.min()
        assert apply([feature], table(at=cells))[:, 0].tolist() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2], "number"),
        ([True, False], "number"),
        (["1", "2.5"], "number"),
        (objects(1, None), "number"),
        (objects(None, None), "number"),
        (["1", "oops"], "number"),
        (["red", "blue"], "onehot"),
        (["red", ""], "onehot"),
        (["2024-01-31", "2024-02-01"], "seconds"),
        (["2024-01-31", ""], "seconds"),
        (["2024-01-31", "red"], "onehot"),
        (pd.to_datetime(["2024-01-31"]).to_numpy(), "seconds"),
        (objects(pd.Timestamp("2024-01-31").to_pydatetime(), None), "seconds"),
        (np.array([90], dtype="timedelta64[s]"), "seconds"),
        (objects([1], [2]), "number"),
        (objects("red", 2), "number"),
    ],
)
def test_what_a_column_is_taken_for(cells: Any, kind: str) -> None:
    assert learned(table(x=cells))[0].kind == kind
    of_graph = "number" if kind == "onehot" else kind
    assert learned(table(x=cells), of_graph=True)[0].kind == of_graph


def test_durations_are_seconds_from_0() -> None:
    (feature,) = learned(table(t=np.array([1, 3], dtype="timedelta64[m]")))
    assert feature.origin is None
    assert apply([feature], table(t=np.array([1500], dtype="timedelta64[ms]"))).tolist() == [[1.5]]
    with pytest.raises(UserError, match="column t: expected times of day or durations, as in training"):
        apply([feature], table(t=["2024-01-31"]))


def test_categories_may_be_listed_in_their_order() -> None:
    sizes = table(size=["large", "small", "medium"])
    assert encoded(sizes, size=["small", "medium", "large"]) == [[2], [0], [1]]
    with pytest.raises(UserError, match="row 1, column size: expected one of small, medium, got 'large'"):
        encoded(sizes, size=["small", "medium"])


def test_numbers_may_be_categories() -> None:
    whole = table(zip=[10, 9, 10])
    assert input_names(learned(whole, zip="onehot")) == ("zip=9", "zip=10")
    features = learned(whole, zip="onehot")
    for same in ([10, 9], [10.0, 9.0], ["10", "9"], objects(10, 9.0)):
        assert apply(features, table(zip=same)).tolist() == [[0, 1], [1, 0]]


def test_features_are_plain_data_that_do_the_same_to_another_table() -> None:
    whole = table(t=[1.5, 2], colour=["red", "blue"], size=["s", "l"], day=["2024-01-31", "2024-02-01"])
    features = learned(whole, size="ordinal")
    back = from_data(json.loads(json.dumps(as_data(features))))
    assert back == features
    new = table(day=["2024-01-30"], t=[3], size=["l"], colour=["blue"], more=["of no use"])
    assert apply(back, new).tolist() == [[3, 1, 0, 0, -86400]]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"t": [1]}, "cars.csv has no column 'colour' for colour; it has t"),
        ({"t": [1], "colour": ["green"]}, "row 1, column colour: expected one of blue, red, got 'green'"),
        (
            {"t": [1, 2], "colour": ["red", ""]},
            "row 2, column colour: expected one of blue, red, got nothing",
        ),
        ({"t": ["oops"], "colour": ["red"]}, "row 1, column t: expected a finite number, got 'oops'"),
        ({"t": [1, 2], "colour": ["red"]}, "the columns differ in length: t 2, colour 1"),
    ],
)
def test_a_table_that_lacks_what_was_learned_is_refused(new: dict[str, Any], message: str) -> None:
    features = learned(table(t=[1, 2], colour=["red", "blue"]))
    with pytest.raises(UserError, match=message):
        apply(features, table(**new))


@pytest.mark.parametrize(
    "wrong",
    [
        [{"name": "x"}],
        [{"name": "x", "column": 3}],
        [{"name": "x", "column": "x", "kind": "pickle"}],
        [{"name": "x", "column": "x", "more": 1}],
        [{"name": "x", "column": "x", "fill": [1]}],
        [{"name": "x", "column": "x", "categories": [1]}],
        [3],
    ],
)
def test_what_is_no_feature_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        from_data(wrong)


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        ({"color": "onehot"}, r"data.encode: 'color' is no column of the inputs \(did you mean colour\?\)"),
        ({"colour": "one_hot"}, r"data.encode.colour is one of auto, number, onehot.*did you mean onehot"),
        ({"colour": "seconds"}, r"row 1, column colour: expected a date such as 2024-01-31.*, got 'red'"),
        ({"colour": "number"}, r"row 1, column colour: expected a finite number, got 'red'"),
    ],
)
def test_an_encoding_that_cant_be_is_refused(encode: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        encoded(table(colour=["red", "blue"]), **encode)


def test_many_words_are_refused_unless_they_are_asked_for() -> None:
    names = [f"word {i}" for i in range(MOST + 1)]
    with pytest.raises(UserError, match=r"column name has 101 different words .*\[rest, \"!name\"\]"):
        encoded(table(name=names))
    assert len(encoded(table(name=names), name="onehot")[0]) == MOST + 1
    assert len(learned(table(name=names[1:]))[0].names) == MOST


def test_an_mlp_takes_words_and_dates_and_says_so() -> None:
    columns = {"colour": ["red", "blue"], "day": ["2024-01-31", "2024-02-01"], "target": [1, 2]}
    data = load("table", None, table=columns)
    assert data.train.inputs.tolist() == [[0, 1, 0], [1, 0, 86400]]
    assert data.train.input_names == ("colour=blue", "colour=red", "day")
    assert data.notes == (
        "colour: words became 2 inputs, colour=blue, colour=red",
        "day: dates became seconds since 2024-01-31",
    )


def test_equations_take_dates_and_of_words_their_places() -> None:
    line = parse("y = a*x")
    columns = {"day": ["2024-01-31", "2024-02-01"], "size": ["small", "large"], "y": [1, 2]}
    data = load("table", line, table=columns, columns={"x": "day"})
    assert data.train.inputs.tolist() == [[0], [86400]] and data.train.input_names == ("x",)
    assert data.notes == ("day: dates became seconds since 2024-01-31",)
    data = load("table", line, table=columns, columns={"x": "size"}, encode={"size": ["small", "large"]})
    assert data.train.inputs.tolist() == [[0], [1]]
    with pytest.raises(UserError, match="row 1, column size: expected a finite number, got 'small'"):
        load("table", line, table=columns, columns={"x": "size"})
    with pytest.raises(UserError, match="a variable of equations is one: ordinal"):
        load("table", line, table=columns, columns={"x": "size"}, encode={"size": "onehot"})


def test_targets_stay_numbers_or_classes() -> None:
    with pytest.raises(UserError, match="column y: expected a finite number, got '2024-01-31'"):
        load("table", parse("y = a*x"), table={"x": [1, 2], "y": ["2024-01-31", "2024-02-01"]})


def test_a_year_is_no_date() -> None:
    assert times(np.array(["2024"])) is None or learned(table(year=["2024"]))[0].kind == "number"


def test_one_category_is_an_input_of_its_own() -> None:
    columns = {"colour": ["red", "blue", ""], "y": [1, 2, 3]}
    for graph, mapped in (
        (parse("y = a*x"), {"x": "colour=red"}),
        (None, {"inputs": ["colour=red"], "targets": "y"}),
    ):
        data = load("table", graph, table=columns, columns=mapped, missing="drop")
        assert data.train.inputs.tolist() == [[1], [0]]
        data = load("table", graph, table=columns, columns=mapped, missing="impute")
        assert data.train.inputs.tolist() == [[1], [0], [0]]
        (feature,) = from_data(json.loads(json.dumps(as_data(data.train.features))))
        assert apply([feature], table(colour=["green", "red"])).tolist() == [[0], [1]]
        with pytest.raises(UserError, match="row 3, column colour: expected red or another"):
            load("table", graph, table=columns, columns=mapped)
    with pytest.raises(UserError, match="column colour: no cell is 'rot' for x; there are blue"):
        load("table", parse("y = a*x"), table=columns, columns={"x": "colour=rot"})
    with pytest.raises(UserError, match="no column 'color=red' for x"):
        load("table", parse("y = a*x"), table=columns, columns={"x": "color=red"})
