"""The figures of trust: of the sections that are named, and a record in which the others stay."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.trust import __main__ as trust


def test_a_section_takes_the_place_of_its_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers: Iterator[int] = iter(range(1000, 2000))
    monkeypatch.setattr(trust, "SECTIONS", {name: lambda: {"tries": next(numbers)} for name in "ab"})
    file = tmp_path / "trust.csv"
    for sections in ["a", "b"], ["a"]:
        monkeypatch.setattr("sys.argv", ["trust", *sections, "--out", str(file)])
        trust.main()
    with file.open(newline="") as lines:
        rows = [(row["section"], row["what"], row["value"]) for row in csv.DictReader(lines)]
    assert rows == [("b", "tries", "1001"), ("a", "tries", "1002")]
    assert "1,002" in capsys.readouterr().out


def test_an_unknown_section_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["trust", "parsre"])
    with pytest.raises(SystemExit):
        trust.main()
    assert "there is no section parsre; there are parser" in capsys.readouterr().err
