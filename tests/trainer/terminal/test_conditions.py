"""Conditions on runs."""

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.terminal.conditions import COMPARISONS, condition
from tests.strategies import few

ROW: dict[str, Any] = {
    "index": 3,
    "optimizer.lr": 0.01,
    "outcome": "finished",
    "model.widths": "[2, 10, 2]",
    "model.bounds": "{'a': [0.0, None]}",
    "message": "Stopped, at last",
    "nesterov": True,
    "clip": None,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("index=3", True),
        ("index=3.0", True),
        ("index!=3", False),
        ("optimizer.lr=1e-2", True),
        ("optimizer.lr<0.02", True),
        ("optimizer.lr>=0.02", False),
        ("outcome=finished", True),
        ("outcome=Finished", True),
        ("outcome!=diverged", True),
        ("model.widths=[2, 10, 2]", True),
        ("model.widths=[2,10,2]", True),
        ("model.widths= [2,10.0, 2]", True),
        ("model.widths=[2,32,2],[2,10,2]", True),
        ("model.widths!=[2,10,2]", False),
        ("model.widths=[2,10]", False),
        ("model.bounds={a:[0,null]}", True),
        ("index=3,4", True),
        ("index=1,2", False),
        ("index!=3,4", False),
        ("index!=1,2", True),
        ("index=range(0,4)", True),
        ("index=range(4,8)", False),
        ("outcome=diverged,finished", True),
        ("message=stopped, at last", True),
        ("message=stopped", False),
        ("message=a 'quoted", False),
        ("nesterov=true", True),
        ("nesterov=1", False),
        ("clip=null", True),
        ("clip!=null", False),
        ("clip<3", False),
        ("index=a", False),
        ("outcome<3", False),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert condition(text, list(ROW))(ROW) == holds


@few
@given(
    st.integers() | st.floats(allow_nan=False), st.floats(allow_nan=False), st.sampled_from([*COMPARISONS])
)
def test_numbers_are_compared_as_numbers(cell: float, value: float, sign: str) -> None:
    names = {"<=": "le", ">=": "ge", "!=": "ne", "=": "eq", "<": "lt", ">": "gt"}
    assert condition(f"a{sign}{value!r}", ["a"])({"a": cell}) == getattr(operator, names[sign])(cell, value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lr=3", r"there is no column lr \(did you mean optimizer.lr\?\); there are index, optimizer.lr"),
        ("outcome<a", "outcome<a: expected a number after <, got 'a'"),
        ("finished", "expected a condition such as outcome=finished or 'optimizer.lr<0.01', got 'finished'"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        condition(text, list(ROW))


def test_a_misspelt_option_is_suggested_too() -> None:
    with pytest.raises(UserError, match=r"there is no column lmit \(did you mean limit\?\); there are index"):
        condition("lmit=3", list(ROW), ("sort", "limit"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("index=3", ""),
        ("index!=9", ""),
        ("index=9", "index=9 holds for no run: index is from 0 to 7"),
        ("index>7", "index>7 holds for no run: index is from 0 to 7"),
        ("seed=a", "seed=a holds for no run: seed is 1, 0"),
        ("kind=sgd", "kind=sgd holds for no run: kind is b, a"),
        ("many=z", "many=z holds for no run: many is k0, k1, k2, k3, k4, k5 and 2 more"),
        ("nothing=3", "nothing=3 holds for no run: nothing is null"),
    ],
)
def test_a_condition_that_holds_for_no_run_says_what_there_is(text: str, told: str) -> None:
    rows: list[dict[str, Any]] = [
        {"index": i, "seed": 1 - i % 2, "kind": "ba"[i % 2], "many": f"k{i}", "nothing": None}
        for i in range(8)
    ]
    assert condition(text, list(rows[0])).why_none(rows) == told
