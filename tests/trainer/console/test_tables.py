"""Tables of which nothing is cut."""

import io
import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from packtrain.trainer.console.tables import EDGES, Column, blocks, filled, fits, new_console, print_columns
from tests.strategies import few

CELLS = st.text("ab0 ", min_size=1, max_size=9)
FIRST = Column("run", ["1", "22"])


@few
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12), st.integers(20, 80))
def test_every_column_stands_in_a_block_that_has_room(given: list[tuple[str, str, str]], width: int) -> None:
    columns = [Column(label, texts) for label, *texts in given]
    found = list(blocks(FIRST, columns, width))
    assert [each for block in found for each in block[1:]] == columns
    assert all(block[0] is FIRST and fits(block, width) for block in found)
    for block, after in itertools.pairwise(found):
        assert not fits([*block, after[1]], width), "a block ends where there is no room"
    out = io.StringIO()
    print_columns(Console(file=out, width=width), found[0])
    assert max(map(len, out.getvalue().splitlines())) == EDGES + sum(each.width for each in found[0]) - 1


def test_others_are_shown_as_far_as_there_is_room() -> None:
    others = [Column(label, ["1", "2"]) for label in ("a", "b", "a wide column", "c")]
    assert filled([FIRST], others, 15) == [FIRST, *others[:2]]
    assert filled([FIRST], others, 5) == [FIRST]
    assert filled([FIRST], others, 99) == [FIRST, *others]


def test_what_is_wider_than_the_console_is_folded() -> None:
    out = io.StringIO()
    print_columns(Console(file=out, width=20), [Column("a", ["0123456789" * 3]), Column("[b]", [":x:"])])
    assert "…" not in out.getvalue() and "[b]" in out.getvalue() and ":x:" in out.getvalue()
    assert sum(line.count("9") for line in out.getvalue().splitlines()) == 3


@pytest.mark.parametrize(
    ("columns", "terminal", "width"),
    [
        ("120", True, 120),
        ("0", True, 80),
        ("00", True, 80),
        ("3", True, 20),
        ("", True, 80),
        ("0", False, 1 << 20),
        ("60", False, 1 << 20),
    ],
)
def test_a_console_is_as_wide_as_its_terminal_and_a_pipe_has_no_end(
    columns: str, terminal: bool, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", columns)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda *given: (_ for _ in ()).throw(OSError()))
    assert new_console().width == width
