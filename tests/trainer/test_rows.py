"""Rows: nested, flat, and back."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import few
from trainer.rows import finite, flat, nested

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


def test_a_fits_standard_errors_stay_with_their_parameters() -> None:
    row = {
        "index": 0,
        "values": {},
        "outcome": "finished",
        "message": "",
        "steps": 1,
        "loss": {"train": {"first": 1.0, "last": 0.5}, "validation": None},
        "metrics": {},
        "parameters": {"a": {"value": 1.0, "stderr": 0.1, "ci95": [0.8, 1.2]}},
        "fit": {"rss": 0.5, "correlation": {}, "notes": ["one", "two"]},
    }
    line = flat(row)
    assert line["fit.notes"] == "one; two" and line["ci95.a.low"] == 0.8
    assert nested(line)["parameters"] == {"a": {"value": 1.0, "stderr": 0.1}}


def test_numbers_that_are_not_finite_become_null() -> None:
    assert finite({"a": [math.nan, 1.0, {"b": -math.inf}], "c": "nan"}) == {
        "a": [None, 1.0, {"b": None}],
        "c": "nan",
    }
