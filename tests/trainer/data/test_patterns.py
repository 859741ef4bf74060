"""Columns by patterns."""

from typing import Any

import numpy as np
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.schema import Config
from packtrain.trainer.data.columns import find_columns
from packtrain.trainer.data.patterns import matching
from packtrain.trainer.data.table import Table
from tests.trainer.configs import pack_of

NAMES = ("feat_id", "feat_a", "feat_b", "other", "y", "y2", "w", "x[0]", "file")
TABLE = Table("points.csv", {name: np.zeros(2) for name in NAMES}, beside=("file",))


def inputs(given: Any, table: Table = TABLE) -> list[str]:
    return [*find_columns(table, {"inputs": given, "targets": "y", "weights": "w"}, None, False).inputs]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("rest", ["feat_id", "feat_a", "feat_b", "other", "y2", "x[0]"]),
        (None, ["feat_id", "feat_a", "feat_b", "other", "y2", "x[0]"]),
        (["feat_*", "!feat_id"], ["feat_a", "feat_b"]),
        ("feat_?", ["feat_a", "feat_b"]),
        ("feat_[ab]", ["feat_a", "feat_b"]),
        (["other", "feat_*"], ["other", "feat_id", "feat_a", "feat_b"]),
        (["feat_b", "feat_*"], ["feat_b", "feat_id", "feat_a"]),
        (["!feat_*"], ["other", "y2", "x[0]"]),
        (["rest", "!y*", "!x*"], ["feat_id", "feat_a", "feat_b", "other"]),
        (["other", "rest"], ["other", "feat_id", "feat_a", "feat_b", "y2", "x[0]"]),
        ("x[0]", ["x[0]"]),
        (["other", "file"], ["other", "file"]),
        (["y", "w"], ["y", "w"]),
    ],
)
def test_what_patterns_choose(given: Any, names: list[str]) -> None:
    assert inputs(given) == names


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("feet_*", r"no column like 'feet_\*' for the inputs.*; it has feat_id"),
        ("feat_A*", r"no column like 'feat_A\*' for the inputs \(did you mean feat_"),
        (["rest", "!feat_c"], r"no column 'feat_c' for the inputs \(did you mean feat_b"),
        ("feat_c", r"no column 'feat_c' for the inputs \(did you mean feat_b"),
        (["other", "other"], "data.columns names other twice for the inputs: other, other"),
        (["feat_*", "!feat_*"], "points.csv has no column left for the inputs"),
    ],
)
def test_a_pattern_that_chooses_nothing_is_refused(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        inputs(given)


def test_a_column_is_chosen_once() -> None:
    rest = ["feat_id", "feat_a", "feat_b"]
    assert matching(TABLE, ["feat_b", "feat_*", "rest"], rest, "the inputs") == [
        "feat_b",
        "feat_id",
        "feat_a",
    ]


def test_targets_may_be_patterns() -> None:
    columns = find_columns(TABLE, {"targets": "y*", "inputs": "rest"}, None, False)
    assert [*columns.targets] == ["y", "y2"]
    assert [*columns.inputs] == ["feat_id", "feat_a", "feat_b", "other", "w", "x[0]"]


def test_a_column_may_be_called_as_words_are() -> None:
    table = Table("t", {name: np.zeros(1) for name in ("rest", "!a", "b", "y", "w")})
    assert inputs("rest", table) == ["rest"] and inputs(["!a"], table) == ["!a"]


def test_the_command_line_takes_patterns() -> None:
    words = (
        "~experiment",
        "model=mlp",
        "model.widths=[2,1]",
        "model.loss=mse",
        "data=file",
        "data.path=points.csv",
    )
    config: Config = pack_of(*words, 'data.columns={inputs: [feat_*, "!feat_id", x?], targets: y}').config
    assert config.data.columns == {"inputs": ["feat_*", "!feat_id", "x?"], "targets": "y"}
