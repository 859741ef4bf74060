"""Results by columns, read as rows."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.engines.rows import Correlation, Names, Rows, Some, each, numbers
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.ranking import best_first, best_run
from tests.strategies import few


def rows_of(loss: list[float], outcome: list[str] | None = None, **values: list) -> Rows:
    runs = len(loss)
    return Rows(
        {
            "index": range(runs),
            "values": values,
            "outcome": outcome or ["finished"] * runs,
            "message": ["it ended, so"] * runs,
            "steps": np.arange(runs),
            "best_step": np.ma.masked_less(np.array([-1, *range(1, runs)]), 0),
            "loss": {"train": {"first": np.full(runs, 9.0), "last": np.array(loss)}, "validation": None},
            "metrics": {},
            "parameters": {"a": {"value": np.array(loss) * 2, "stderr": None}},
            "notes": Some({1: ["odd"]}, runs),
        }
    )


def test_a_row_is_made_of_the_columns() -> None:
    rows = rows_of([1.0, math.nan], seed=[7, 8])
    assert rows[0] == {
        "index": 0,
        "values": {"seed": 7},
        "outcome": "finished",
        "message": "it ended, so",
        "steps": 0,
        "best_step": None,
        "loss": {"train": {"first": 9.0, "last": 1.0}, "validation": None},
        "metrics": {},
        "parameters": {"a": {"value": 2.0, "stderr": None}},
    }
    assert rows[1]["notes"] == ["odd"] and rows[1]["loss"]["train"]["last"] is None and rows[-1] == rows[1]
    assert rows == list(rows) and rows[:1] == [rows[0]] and len(rows[1:]) == 1


def test_columns_and_lists_of_rows_are_read_alike() -> None:
    rows = rows_of([3.0, math.inf, 1.0])
    for path in (
        ("loss", "train", "last"),
        ("loss", "validation"),
        ("steps",),
        ("best_step",),
        ("none", "x"),
    ):
        assert each(rows, *path) == each(list(rows), *path)
        np.testing.assert_array_equal(numbers(rows, *path), numbers(list(rows), *path))


@few
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, math.nan, math.inf]), min_size=1), st.booleans())
def test_columns_are_ranked_as_a_list_of_rows(loss: list[float], maximized: bool) -> None:
    outcomes = ["diverged" if place % 3 == 1 else "finished" for place in range(len(loss))]
    rows = rows_of(loss, outcomes)
    for objective in (None, Objective("loss.train", maximized)):
        ranked, listed = best_first(rows, objective), best_first(list(rows), objective)
        assert list(ranked) == listed and best_run(ranked, objective) == best_run(listed, objective)


def test_kinds_of_columns() -> None:
    names = Names(["a", "b"], np.array([[True, True], [False, False]]))
    assert names[0] == ["a", "b"] and names.joined(", ") == ["a, b", ""]
    known = np.array([[True, True], [True, False]])
    found = Correlation(["a", "b"], np.stack([np.array([[4.0, -1.0], [-1.0, 1.0]])] * 2), known)
    assert found[0]["a"]["b"] == -0.5 and found[1] == {"a": {"a": 1.0}}
    np.testing.assert_array_equal(found.of(0, 1), [-0.5, math.nan])
