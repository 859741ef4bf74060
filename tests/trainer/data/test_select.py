"""From named columns to what a model asks for."""

from typing import Any

import numpy as np
import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.select import select
from packtrain.trainer.data.table import Table

GRAPH = parse("xy = a*x + b*xb")
LOGITS = parse(["xu = a*x", "xv = b*x"])


def table(**columns: Any) -> Table:
    return Table("points.csv", {name: np.asarray(column) for name, column in columns.items()})


def test_a_graph_finds_its_variables_by_name() -> None:
    found = select(table(xy=[5, 6], xb=[3, 4], other=["u", "v"], x=[1, 2]), {}, GRAPH, False)
    assert found.inputs.tolist() == [[1, 3], [2, 4]] and found.targets.tolist() == [[5], [6]]
    assert found.input_names == ("x", "xb") and found.target_names == ("xy",)
    assert found.inputs.dtype == torch.float64


def test_columns_are_mapped_to_variables() -> None:
    found = select(table(time=[1], height=[2], xb=[3]), {"x": "time", "xy": "height"}, GRAPH, False)
    assert found.inputs.tolist() == [[1, 3]] and found.targets.tolist() == [[2]]


def test_an_mlp_takes_all_columns_but_the_targets() -> None:
    whole = table(a=[1], target=[2], b=[3])
    found = select(whole, {}, None, False)
    assert found.input_names == ("a", "b") and found.targets.tolist() == [[2]]
    found = select(whole, {"targets": ["a", "b"]}, None, False)
    assert found.input_names == ("target",) and found.targets.tolist() == [[1, 3]]
    found = select(whole, {"inputs": "b", "targets": "a"}, None, False)
    assert found.inputs.tolist() == [[3]] and found.targets.tolist() == [[1]]


def test_the_weights_of_an_mlp_are_no_input() -> None:
    whole = table(a=[1, 2], target=[2, 3], w=[0.5, 0])
    found = select(whole, {"weights": "w"}, None, False)
    assert found.input_names == ("a",) and found.weights is not None
    assert found.weights.tolist() == [0.5, 0]
    found = select(whole, {"inputs": ["a", "w"], "weights": "w"}, None, False)
    assert found.input_names == ("a", "w"), "where it is asked for, it is one"
    with pytest.raises(UserError, match=r"points.csv has no column left for the inputs"):
        select(table(w=[1], target=[1]), {"weights": "w"}, None, False)


@pytest.mark.parametrize(
    ("labels", "names", "index"),
    [
        (["dog", "cat", "dog"], ("cat", "dog"), [1, 0, 1]),
        ([7, -1, 7], ("-1", "7"), [1, 0, 1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        (np.array(["b", 2, "b"], dtype=object), ("2", "b"), [1, 0, 1]),
        (np.array([{"a": 1}, {"a": 0}, {"a": 1}], dtype=object), ("{'a': 0}", "{'a': 1}"), [1, 0, 1]),
    ],
)
def test_class_labels_become_indices_in_sorted_order(labels: Any, names: tuple[str, ...], index: Any) -> None:
    for graph, columns in ((None, {}), (LOGITS, {}), (LOGITS, {"targets": "target"})):
        found = select(table(x=[1, 2, 3], target=labels), columns, graph, True)
        assert found.target_names == names and found.targets.flatten().tolist() == index
        assert found.targets.dtype == torch.int64


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", "got 'abc'"),
        ("1,5", "got '1,5'"),
        (None, "got nothing"),
        (float("nan"), "got nan"),
        (float("inf"), "got inf"),
        ([1.0], "got [1.0]"),
        (10**400, f"got {10**400}"),
        ({"a": 1}, "got {'a': 1}"),
    ],
)
def test_a_cell_that_is_no_number_is_named_with_row_and_column(cell: Any, message: str) -> None:
    column = np.array([1.0, None, 3.0], dtype=object)
    column[1] = cell
    with pytest.raises(UserError) as refused:
        select(Table("points.csv", {"x": column, "xb": np.ones(3), "xy": np.ones(3)}), {}, GRAPH, False)
    assert str(refused.value) == f"points.csv, row 2, column x: expected a finite number, {message}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_that_is_not_finite_is_refused(dtype: type) -> None:
    with pytest.raises(UserError, match=r"points.csv, row 2, column x: expected a finite number, got nan"):
        select(table(x=np.array([1, np.nan], dtype), xb=[1, 2], xy=[1, 2]), {}, GRAPH, False)


@pytest.mark.parametrize(
    "cells", [["u", "", "v"], ["u", " ", "v"], np.array(["u", None, 3]), np.array([1, np.nan, 2], np.float32)]
)
def test_a_missing_label_is_refused(cells: Any) -> None:
    with pytest.raises(
        UserError, match=r"points.csv, row 2, column target: expected a class label, got nothing"
    ):
        select(table(x=[1, 2, 3], target=cells), {}, None, True)


def test_several_columns_of_class_labels_are_refused() -> None:
    with pytest.raises(UserError, match="cross_entropy takes one column of class labels; got a, label"):
        select(table(a=[1], b=[3], label=[2]), {"targets": ["a", "label"]}, None, True)


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(UserError, match=r"points.csv, column x: expected real numbers"):
        select(table(x=[1j], xb=[1], xy=[1]), {}, GRAPH, False)


def test_columns_of_several_lengths_are_refused() -> None:
    with pytest.raises(UserError, match=r"points.csv: the columns differ in length: x 2, xy 1"):
        select(table(x=[1, 2], other=[1, 2, 3], xy=[1]), {}, parse("xy = a*x"), False)


RGB = parse(["xr = a*x", "xg = b*x", "xb = c*x"])


def test_classes_are_one_hot_for_squared_errors_of_as_many_outputs() -> None:
    whole = table(x=[1, 2, 3, 4], target=["b", "a", "c", "a"])
    for graph, outputs in ((None, 3), (RGB, None)):
        found = select(whole, {}, graph, False, outputs)
        assert found.one_hot and found.target_names == ("a", "b", "c")
        assert found.targets.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
        assert found.targets.dtype == torch.float64
    with pytest.raises(UserError, match=r"2 outputs take 2 columns.*column target has 3 different values"):
        select(whole, {}, parse(["xr = a*x", "xg = b*x"]), False)
    found = select(table(x=[1, 2], k=[5, 7], w=[1, 2]), {"targets": "k", "weights": "w"}, None, False, 2)
    assert found.one_hot and found.weights is not None and found.target_names == ("5", "7")


def test_a_class_is_a_number_for_one_output() -> None:
    whole = table(x=[1, 2, 3], target=[0, 1, 2])
    for graph, outputs in ((None, 1), (None, None), (parse("xy = a*x"), None)):
        found = select(whole, {}, graph, False, outputs)
        assert not found.one_hot and found.targets.tolist() == [[0], [1], [2]]
    assert select(whole, {}, parse("xy = a*x"), False).target_names == ("xy",)
    found = select(table(x=[1], p=[2], q=[3]), {"targets": ["p", "q"]}, LOGITS, False)
    assert found.target_names == ("xu", "xv") and found.targets.tolist() == [[2, 3]]


def test_an_mlps_widths_may_be_hidden_layers() -> None:
    """Then what they end with says nothing: words are classes, and numbers are numbers."""
    for outputs in (None, 2, 32):
        found = select(table(x=[1, 2, 3], target=["b", "a", "c"]), {}, None, False, outputs)
        assert found.one_hot and found.target_names == ("a", "b", "c")
        found = select(table(x=[1, 2, 3], target=[0, 1, 2]), {}, None, False, outputs)
        assert not found.one_hot and found.targets.tolist() == [[0], [1], [2]]


def test_columns_of_the_outputs_come_before_a_target() -> None:
    whole = table(x=[1, 2], xu=[3, 4], xv=[5, 6], target=[0, 1])
    assert select(whole, {}, LOGITS, False).targets.tolist() == [[3, 5], [4, 6]]
    assert select(whole, {"targets": "target"}, LOGITS, False).one_hot
    with pytest.raises(UserError, match=r"no column 'xw' for xw"):
        select(whole, {}, parse(["xu = a*x", "xw = b*x"]), False)
