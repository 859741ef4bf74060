"""What data.columns means."""

from typing import Any

import numpy as np
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.columns import Columns, find_columns
from packtrain.trainer.data.table import Table

GRAPH = parse("xy = a*x + b*xb")
LOGITS = parse(["xu = a*x", "xv = b*x"])


def table(**columns: Any) -> Table:
    return Table("points.csv", {name: np.asarray(column) for name, column in columns.items()})


def test_a_variable_has_the_column_of_its_name_or_the_one_that_is_mapped() -> None:
    whole = table(time=[1], xb=[2], xy=[3], w=[4], other=[5])
    columns = find_columns(whole, {"x": "time", "weights": "w"}, GRAPH, False)
    assert columns == Columns({"x": "time", "xb": "xb"}, {"xy": "xy"}, "w")
    assert columns.used == ["time", "xb", "xy", "w"]


def test_accents_are_compared_as_they_look() -> None:
    columns = find_columns(table(x=[1], xb=[2], **{"h\u00f6he": [3]}), {"xy": "ho\u0308he"}, GRAPH, False)
    assert columns.targets == {"xy": "h\u00f6he"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": "tim"}, r"no column 'tim' for x \(did you mean time\?\); it has time, xb, xy, target"),
        ({}, "no column 'x' for x.*data.columns={x: COLUMN}"),
        ({"y": "time"}, "no input or output 'y'.*they have x, xb, xy"),
        ({"b": "time"}, "b has no column, since model.parameters makes it a parameter: keep one"),
        ({"x": None}, "no column 'None' for x"),
    ],
)
def test_a_graph_without_its_column_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_columns(table(time=[1], xb=[1], xy=[1], target=[1]), columns, GRAPH, False)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"targets": "labe"}, r"no column 'labe' for the targets.*did you mean label\?"),
        ({}, "no column 'target' for the targets: name it with 'data.columns={targets: COLUMN}'"),
        ({"targets": []}, "no column 'target' for the targets"),
        ({"targets": "label", "inputs": ["aa"]}, "no column 'aa' for the inputs"),
        ({"x": "a"}, "data.columns of an MLP has inputs, targets, weights and sigma; got 'x'"),
    ],
)
def test_an_mlp_without_its_column_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_columns(table(a=[1], b=[3], label=[2]), columns, None, True)


def test_a_graph_of_classes_names_its_targets() -> None:
    with pytest.raises(UserError, match=r"no column 'target' for the targets: name it with"):
        find_columns(table(x=[1], k=[1]), {}, LOGITS, True)
    with pytest.raises(UserError, match=r"no input or output 'target' \(did you mean targets\?\)"):
        find_columns(table(x=[1], k=[1]), {"target": "k"}, LOGITS, True)


def test_targets_alone_are_refused() -> None:
    with pytest.raises(UserError, match=r"points.csv has no column left for the inputs"):
        find_columns(table(target=[1]), {}, None, False)
