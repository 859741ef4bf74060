"""The table of a whole sweep."""

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import few
from trainer.search.gather import weave

COLUMNS = st.lists(st.sampled_from("abcdefg"), unique=True)


@few
@given(st.lists(COLUMNS))
def test_columns_of_all_packs_are_there_once(packs: list[list[str]]) -> None:
    columns: list[str] = []
    for pack in packs:
        before = list(columns)
        weave(columns, pack)
        assert [name for name in columns if name in before] == before
    assert sorted(columns) == sorted({name for pack in packs for name in pack})


def test_a_new_column_follows_the_one_before_it() -> None:
    columns = ["index", "seed", "outcome"]
    weave(columns, ["index", "optimizer.lr", "outcome", "parameters.a"])
    assert columns == ["index", "optimizer.lr", "seed", "outcome", "parameters.a"]
