"""What is left of a test in a default run, and that nothing is lost: the rest is `thorough`."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers import ROOT
from tests.thorough import FEW, FEWER, choose_examples, covering, examples, leave_samples, spaced


class Row:
    """A test as it was collected, of these parameters and marks."""

    def __init__(self, name: str, marks: tuple[pytest.Mark, ...], **parameters: Any) -> None:
        self.nodeid, self.marks = f"{name}[{parameters}]", list(marks)
        self.callspec = SimpleNamespace(params=parameters)

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return next((mark for mark in self.marks if mark.name == name), None)

    def add_marker(self, marker: pytest.MarkDecorator) -> None:
        self.marks.append(marker.mark)


SAMPLED = pytest.mark.sampled.mark


def product(*marks: pytest.Mark) -> list[Any]:
    return [Row("test_a", marks, size=size, dtype=dtype) for size in range(3) for dtype in "abcd"]


def left(rows: list[Any]) -> list[Any]:
    leave_samples(rows)
    return [row for row in rows if not row.get_closest_marker("thorough")]


def test_each_value_is_left_once() -> None:
    rows = left(product(SAMPLED))
    assert {row.callspec.params["size"] for row in rows} == {0, 1, 2}
    assert sorted(row.callspec.params["dtype"] for row in rows) == ["a", "b", "c", "d"]


def test_so_many_rows_are_left_as_are_asked_for() -> None:
    rows = product(pytest.mark.sampled(3).mark)
    assert left(rows) == [rows[0], rows[6], rows[11]]
    assert spaced(5, 1) == {0} and spaced(2, 5) == {0, 1}


def test_rows_that_run_elsewhere_stand_for_no_others() -> None:
    """A row that needs a GPU is left for a run with one, and so is one that doesn't for all other runs."""
    rows = [
        Row("test_a", marks, device=device)
        for marks, device in [((SAMPLED,), "cpu"), ((SAMPLED, pytest.mark.gpu.mark), "cuda")]
    ]
    assert left(rows) == rows


def test_others_and_tests_without_parameters_stay() -> None:
    bare: Any = Row("test_b", (SAMPLED,))
    rows = [*product(), bare]
    assert left(rows) == rows and covering([bare]) == {0}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv(FEWER, "")
    yield monkeypatch


@pytest.mark.usefixtures("environment")
def test_hypothesis_tries_a_sixth_in_a_default_run_and_all_in_a_thorough_one() -> None:
    default: Any = SimpleNamespace(option=SimpleNamespace(markexpr="not gpu and not thorough"))
    choose_examples(default)
    assert (examples(50), examples(2)) == (9, 1) and default.option.markexpr == "not gpu and not thorough"
    thorough: Any = SimpleNamespace(option=SimpleNamespace(markexpr="thorough"))
    choose_examples(thorough)
    assert examples(50) == 50 and thorough.option.markexpr.startswith("(thorough or hypothesis) and not gpu")


def test_markers_of_few_files_are_named_in_these() -> None:
    """A run of such tests imports no other file: see pytest_ignore_collect."""
    others = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("test_")]
    assert len(others) > 20
    marks = re.compile("|".join(rf"mark\.(only_)?{name}\b" for name in FEW))
    assert [path for path in others if marks.search(path.read_text())] == []
