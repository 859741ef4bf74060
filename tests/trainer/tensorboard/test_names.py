"""Names of runs: legal for a folder, bounded, no two the same, and in the order of ranks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.tensorboard.names import legal, ranked, run_names
from tests.strategies import few

MOST_RUNS = 65_536
value = st.none() | st.floats() | st.integers() | st.text(max_size=120) | st.lists(st.integers(), max_size=9)
fields = st.text("abc._", min_size=1, max_size=30)


@st.composite
def varied(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Up to 6 fields of 1 to 5 runs."""
    runs = draw(st.integers(1, 5))
    return draw(
        st.dictionaries(fields, st.lists(value, min_size=runs, max_size=runs), min_size=1, max_size=6)
    )


@few
@given(varied())
def test_names_are_legal_bounded_and_unique(over: dict[str, list[Any]]) -> None:
    runs = len(next(iter(over.values())))
    names = [ranked(name, MOST_RUNS, MOST_RUNS) for name in run_names(over, range(runs))]
    assert len({*names}) == runs
    for name in names:
        assert name.isprintable() and not {"/", "\\"} & {*name} and len(name.encode()) <= 100


@few
@given(st.text(max_size=200))
def test_a_name_of_a_persons_own_is_made_legal(name: str) -> None:
    assert legal(name).isprintable() and "/" not in legal(name) and not legal(name).startswith(".")
    assert 1 <= len(legal(name).encode()) <= 100


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"optimizer.lr": [0.003], "seed": [7]}, "lr=0.003,seed=7"),
        ({"optimizer.lr": [1e-20], "model.widths": [[16, 16]]}, "lr=1e-20,widths=[16,16]"),
        ({"optimizer.lr": [0.1234567891]}, "lr=0.12346"),
        ({"file": ["data/one.csv"], "start": [0]}, "file=data_one.csv,start=0"),
        (
            {"model.initial.a": [1.0], "optimizer.constants.a": [2.0]},
            "model.initial.a=1,optimizer.constants.a=2",
        ),
        ({"optimizer.clip_norm": [None], "seed": [1]}, "seed=1"),
        ({"optimizer.clip_norm": [None]}, "run 0"),
    ],
)
def test_a_name_says_what_varies(over: dict[str, list[Any]], expected: str) -> None:
    assert run_names(over, range(1)) == [expected]


def test_a_value_that_looks_like_an_index_makes_no_name_twice() -> None:
    names = run_names({"file": ["x", "x", "x run 0"]}, range(3))
    assert names == ["file=x run 0", "file=x run 1", "file=x run 0 run 2"]


def test_names_are_in_the_order_of_ranks() -> None:
    names = [ranked(f"seed={1000 - place}", place, 1000) for place in range(1, 1001)]
    assert names == sorted(names)
