"""Rows: nested, flat, and back."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.engines.rows import Pair, Some, finite
from packtrain.trainer.folder.objective import Objective
from packtrain.trainer.folder.ranking import best_first, best_run, counted, flat, lines_best_first, nested
from tests.strategies import few

NUMBERS = st.none() | st.floats(allow_nan=False)
NAMES = st.text("abc_1", min_size=1)
ROWS = st.fixed_dictionaries(
    {
        "index": st.integers(0, 9),
        "values": st.dictionaries(st.sampled_from(["seed", "optimizer.lr", "model.widths"]), st.integers()),
        "outcome": st.sampled_from(["finished", "diverged"]),
        "message": st.text(),
        "steps": st.integers(0, 9),
        "loss": st.fixed_dictionaries(
            {"train": st.fixed_dictionaries({"first": NUMBERS, "last": NUMBERS}), "validation": NUMBERS}
        ),
        "metrics": st.dictionaries(NAMES, NUMBERS),
        "parameters": st.dictionaries(NAMES, st.fixed_dictionaries({"value": NUMBERS, "stderr": st.none()})),
    }
)


@few
@given(ROWS)
def test_a_line_of_the_table_gives_its_row_back(row: dict) -> None:
    assert nested(flat(row)) == row
    line = flat(row)
    place = {"index": line.pop("index"), "pack": "1", "run": 3}
    assert nested(place | line) == row


def run_of(index: int, outcome: str, accuracy: float | None, loss: float) -> dict[str, Any]:
    return {
        "index": index,
        "values": {},
        "outcome": outcome,
        "message": "",
        "steps": 1,
        "loss": {"train": {"first": 1.0, "last": loss}, "validation": None},
        "metrics": {"accuracy": accuracy},
        "parameters": {},
    }


RANKED = [
    run_of(0, "diverged", 0.9, 0.1),
    run_of(1, "finished", None, 0.2),
    run_of(2, "finished", 0.2, 0.6),
    run_of(3, "stopped early", 0.4, 0.5),
    run_of(4, "finished", 0.4, 0.4),
]


@pytest.mark.parametrize(
    ("objective", "indices"),
    [
        (None, [1, 4, 3, 2, 0]),
        (Objective("loss.train"), [1, 4, 3, 2, 0]),
        (Objective("metrics.accuracy"), [2, 4, 3, 1, 0]),
        (Objective("metrics.accuracy", maximized=True), [4, 3, 2, 1, 0]),
    ],
)
def test_runs_are_ranked_by_the_objective_and_then_by_their_loss(
    objective: Objective | None, indices: list[int]
) -> None:
    ranked = best_first(RANKED, objective)
    assert [row["index"] for row in ranked] == indices
    assert best_run(ranked, objective) == indices[0]
    lines = lines_best_first([flat(row) for row in RANKED], objective)
    assert [line["index"] for line in lines] == indices


def test_a_run_without_the_objective_is_not_the_best() -> None:
    assert best_run(best_first(RANKED[:2]), Objective("metrics.accuracy", maximized=True)) is None


def test_a_fits_standard_errors_stay_with_their_parameters() -> None:
    row = {
        "index": 0,
        "values": {},
        "outcome": "finished",
        "message": "",
        "steps": 1,
        "loss": {"train": {"first": 1.0, "last": 0.5}, "validation": None},
        "metrics": {},
        "parameters": {"a": {"value": 1.0, "stderr": 0.1, "ci95": Pair(np.array([0.8]), np.array([1.2]))}},
        "fit": {"rss": 0.5, "correlation": {}, "notes": Some({0: ["one", "two"]}, 1, [])},
    }
    line = flat(row)
    assert line["fit.notes"] == ["one; two"] and line["ci95.a.low"] == 0.8
    assert nested(line)["parameters"] == {"a": {"value": 1.0, "stderr": 0.1}}


def test_outcomes_are_counted_from_the_finished_ones_to_the_last_rung() -> None:
    asked = ["stopped at rung 10", "diverged", "stopped at rung 2", "stopped early", "finished", "diverged"]
    found = {
        "finished": 1,
        "diverged": 2,
        "stopped early": 1,
        "stopped at rung 2": 1,
        "stopped at rung 10": 1,
    }
    assert list(counted(asked).items()) == list(found.items())


def test_where_those_that_stayed_diverged_the_best_that_was_stopped_is_the_best() -> None:
    outcomes = {"diverged": 0.1, "stopped at rung 1": 0.3, "stopped at rung 2": 0.2}
    rows = [
        {"index": index, "outcome": word, "loss": {"train": {"last": loss}, "validation": None}}
        for index, (word, loss) in enumerate(outcomes.items())
    ]
    ranked = best_first(rows)
    assert [row["index"] for row in ranked] == [2, 1, 0] and best_run(ranked) == 2


def test_numbers_that_are_not_finite_become_null() -> None:
    assert finite({"a": [math.nan, 1.0, {"b": -math.inf}], "c": "nan"}) == {
        "a": [None, 1.0, {"b": None}],
        "c": "nan",
    }
