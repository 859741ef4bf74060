"""Separated values as people have them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.files.read import read
from packtrain.trainer.data.table import Table


def written(path: Path, text: str | bytes) -> Table:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(str(path))


def columns(table: Table) -> dict[str, list[object]]:
    return {name: column.tolist() for name, column in table.columns.items()}


POINTS = {"t": [1, 2], "y": [0.5, 1.5]}


@pytest.mark.parametrize(
    "text",
    [
        "t;y\n1;0.5\n2;1.5\n",
        "t\ty\n1\t0.5\n2\t1.5\n",
        "t;y\r\n1;0,5\r\n2;1,5\r\n",
        "t\ty\n1\t0,5\n2\t1,5\n",
        "\ufefft;y\n1;0.5\n2;1.5",
        "# made today\n# by us\nt,y\n1,0.5\n2,1.5\n",
        "t,y\n1,0.5\n# the sensor stopped, and began again\n2,1.5\n",
        "t,y\r\n1,0.5\r\n#9,9\r\n2,1.5\r\n",
        "# t,y\n1,0.5\n2,1.5\n",
        "# made today\n#t;y\n1;0,5\n2;1,5\n",
        "\ufeff#made today\nt,y\n1,0.5\n2,1.5\n",
    ],
)
def test_the_same_numbers_in_many_spellings(text: str, tmp_path: Path) -> None:
    assert columns(written(tmp_path / "points.csv", text)) == POINTS
    assert columns(written(tmp_path / "points.tsv", text)) == POINTS
    assert columns(written(tmp_path / "points.csv.gz", gzip.compress(text.encode()))) == POINTS


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("t,y\n1,2\n", []),
        ("t;y\n1;2\n", []),
        ("# by us\nt;y\n1;2\n", []),
        ("t;y\n1;2,5\n", ["commas are decimal signs: 1,5 is 1.5"]),
        ("t,y\n1,2\n#3,4\n5,6\n7,8\n", ["1 line that begins with # is left out"]),
        ("t,y\n1,2\n#3,4\n#\n5,6\n7,8\n", ["2 lines that begin with # are left out"]),
        ("# t, y\n1,2\n", ["the columns are named by the comment above them: t, y"]),
    ],
)
def test_what_is_not_to_be_expected_is_told(text: str, notes: list[str], tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    assert written(path, text).notes == tuple(f"{path}: {note}" for note in notes)


def test_a_tsv_without_tabs_is_told(tmp_path: Path) -> None:
    path = tmp_path / "points.tsv"
    assert written(path, "t,y\n1,2\n").notes == (f"{path}: the cells are separated by ','",)


def test_lines_with_numbers_as_names_are_data_where_most_begin_so(tmp_path: Path) -> None:
    table = written(tmp_path / "colours.csv", "# by us\ncolour,y\n#ff0000,1\n#00ff00,2\n#0000ff,3\n")
    assert columns(table) == {"colour": ["#ff0000", "#00ff00", "#0000ff"], "y": [1, 2, 3]}


def test_a_comment_above_words_names_nothing(tmp_path: Path) -> None:
    table = written(tmp_path / "points.csv", "# lab 3, sensor 4\nt,y\n1,2\n")
    assert columns(table) == {"t": [1], "y": [2]}


def test_a_comma_is_no_decimal_sign_where_it_separates_or_numbers_have_points(tmp_path: Path) -> None:
    assert columns(written(tmp_path / "a.csv", "a,b\n1,5\n")) == {"a": [1], "b": [5]}
    assert columns(written(tmp_path / "b.csv", "a;b\n1,5;2.5\n")) == {"a": ["1,5"], "b": [2.5]}
    assert columns(written(tmp_path / "c.csv", 'a,b\n"1,5",2\n')) == {"a": ["1,5"], "b": [2]}


@pytest.mark.parametrize("word", ["NA", "N/A", "n/a", "null", "NULL", "-", "#N/A", "NaN", "nan", ""])
def test_nothing_has_many_names_in_a_column_of_numbers(word: str, tmp_path: Path) -> None:
    table = written(tmp_path / "points.csv", f"t,y\n1,2\n3,{word}\n")
    assert np.array_equal(table.numbers("y", "y", missing=True), [2, np.nan], equal_nan=True)
    with pytest.raises(UserError, match="row 2, column y: expected a finite number, got n"):
        table.numbers("y", "y")


def test_words_that_mean_nothing_stay_among_words(tmp_path: Path) -> None:
    table = written(tmp_path / "points.csv", "k,all\nNA,-\nUS,-\n,NA\n")
    assert columns(table) == {"k": ["NA", "US", ""], "all": ["-", "-", "NA"]}


def test_words_among_numbers_are_refused_where_missing_ones_are_not(tmp_path: Path) -> None:
    table = written(tmp_path / "points.csv", "y\n1\nNA\noops\n")
    with pytest.raises(UserError, match="row 3, column y: expected a finite number, got 'oops'"):
        table.numbers("y", "y", missing=True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_a_way_out(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"points.csv is text in UTF-16, and expected is UTF-8: .*iconv"
    ) as refused:
        written(tmp_path / "points.csv", "t,y\n1,2\n".encode(encoding))
    assert "\n" not in str(refused.value)


def test_a_column_of_another_encoding_is_refused_where_it_is_used(tmp_path: Path) -> None:
    table = written(tmp_path / "points.csv", "k,y\nn\xe9,1\n".encode("latin-1"))
    assert table.numbers("y", "y").tolist() == [1]
    with pytest.raises(UserError, match="k for the inputs: its text isn't in UTF-8: save the file as UTF-8"):
        table.column("k", "the inputs")


def test_rows_are_counted_without_comments(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row 2: Expected 2 columns, got 1"):
        written(tmp_path / "points.csv", "# by us\nt,y\n1,2\n#\n3\n4,5\n")


def test_dates_and_times_are_read(tmp_path: Path) -> None:
    table = written(tmp_path / "log.csv", "day,at,clock\n2024-01-31,2024-01-31T10:00:00,00:01:30\n,,\n")
    assert [table.columns[name].dtype.kind for name in ("day", "at", "clock")] == ["M", "M", "m"]
    assert table.columns["clock"][0] == np.timedelta64(90, "s") and np.isnat(table.columns["day"][1])


def test_text_that_unpacks_to_more_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packtrain.trainer.data.files.text.available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"large.csv.gz, unpacked to 44 bytes, takes .* GB in memory"):
        written(tmp_path / "large.csv.gz", gzip.compress(b"x\n" * 22))
