"""What is recorded beside numbers: where they were measured; and rows that come back from their file."""

from pathlib import Path

import pytest

from scripts.common import record


def test_sources_without_a_repository_have_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert record.where("cpu")["commit"]
    monkeypatch.setattr(record, "ROOT", tmp_path)
    assert record.where("cpu")["commit"] == ""


def test_a_file_has_a_column_for_each_key_of_its_rows(tmp_path: Path) -> None:
    record.write(tmp_path / "rows.csv", [{"what": "a", "seconds": 1}, {"what": "b", "trouble": "late"}])
    assert record.read(tmp_path / "rows.csv") == [
        {"what": "a", "seconds": "1", "trouble": ""},
        {"what": "b", "seconds": "", "trouble": "late"},
    ]


def test_quantiles_of_one_number_are_that_number() -> None:
    assert record.quantiles([3.0]) == (3.0, 3.0, 3.0)
    assert record.quantiles([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (2.0, 3.5, 5.0)
