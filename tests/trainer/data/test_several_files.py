"""Files that are one table, and sheets and arrays that are more than columns."""

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.files.read import read
from packtrain.trainer.data.table import Table
from tests.trainer.data.loading import load


def write(folder: Path, **texts: str) -> str:
    """Files of these texts, and the pattern for all of them."""
    for name, text in texts.items():
        (folder / f"{name}.csv").parent.mkdir(exist_ok=True)
        (folder / f"{name}.csv").write_text(text)
    return f"{folder}/*.csv"


def test_the_rows_of_several_files_stand_after_one_another(tmp_path: Path) -> None:
    table = read(write(tmp_path, b="x,y\n3,4.5\n", a="y,x\n2,1\n3,2\n"))
    assert table.columns["x"].tolist() == [1, 2, 3] and table.columns["y"].tolist() == [2, 3, 4.5]
    assert table.columns["file"].tolist() == ["a.csv", "a.csv", "b.csv"]
    data = load("file", None, path=f"{tmp_path}/*.csv", columns={"targets": "y"}).train
    assert data.input_names == ("x",), "the files' names are no inputs"
    data = load(
        "file", None, path=f"{tmp_path}/*.csv", columns={"targets": "y", "inputs": ["x", "file"]}
    ).train
    assert data.input_names == ("x", "file=a.csv", "file=b.csv")


def test_each_file_may_be_a_group(tmp_path: Path) -> None:
    path = write(tmp_path, a="x,y\n1,2\n2,3\n", b="x,y\n3,4\n")
    data = load("file", parse("y = a*x"), path=path, group="file")
    assert data.groups is not None and data.groups.keys == {"file": ["a.csv", "b.csv"]}
    assert data.train.segments is not None and data.train.segments.counts.tolist() == [2, 1]


def test_files_of_several_folders_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, run="x\n1\n")
    table = read(f"{tmp_path}/*/run.csv")
    assert table.columns["file"].tolist() == ["one/run.csv", "two/run.csv"]
    assert read(f"{tmp_path}/**/run.csv").columns["file"].tolist() == ["one/run.csv", "two/run.csv"]


def test_errors_name_the_file_and_its_row(tmp_path: Path) -> None:
    table = read(write(tmp_path, a="x,k\n1,u\n2,v\n", b="x,k\n3,\noops,w\n"))
    with pytest.raises(UserError, match=r"b.csv, row 2, column x: expected a finite number, got 'oops'"):
        table.numbers("x", "x")
    with pytest.raises(UserError, match=r"b.csv, row 1, column k: expected a class label, got nothing"):
        table.classes("k", "the targets")


def test_a_column_called_file_stays_what_it_is(tmp_path: Path) -> None:
    table = read(write(tmp_path, a="x,file\n1,u\n", b="x,file\n2,v\n"))
    assert table.columns["file"].tolist() == ["u", "v"] and table.beside == ()


def test_columns_of_several_kinds_are_read_as_what_they_hold(tmp_path: Path) -> None:
    table = read(write(tmp_path, a="x,k\n1,7\n", b="x,k\n2.5,red\n", c="x,k\nNA,\n"))
    assert np.array_equal(table.numbers("x", "x", missing=True), [1, 2.5, np.nan], equal_nan=True)
    assert table.classes("k", "the targets", missing=True)[0] == ("7", "red")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"a": "x,y\n1,2\n", "b": "x\n1\n"},
            "b.csv has no column y, and .*a.csv has: ",
        ),
        (
            {"a": "x\n1\n", "b": "x,y\n1,2\n"},
            "a.csv has no column y, and .*b.csv has: ",
        ),
        ({"a": "x\n1\n", "b": "x\n"}, "b.csv is empty"),
        ({}, "no file is like data.path="),
    ],
)
def test_files_that_are_no_one_table_are_refused(texts: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(write(tmp_path, **texts))


def test_a_name_with_brackets_is_that_of_a_file_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "run[1].csv").write_text("x\n1\n")
    assert read(f"{tmp_path}/run[1].csv").names == ["x"]


def workbook(path: Path, **sheets: list[list[Any]]) -> Table:
    book = openpyxl.Workbook()
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return read(str(path))


def test_a_workbook_is_read_from_its_first_full_sheet(tmp_path: Path) -> None:
    day = pd.Timestamp("2024-01-31").to_pydatetime()
    rows = [["t", None, "day", "mixed"], [1, 9, day, "a"], [None] * 4, [2.5, 9, None, 3]]
    table = workbook(tmp_path / "book.xlsx", empty=[], data=rows, other=[["z"], [1]])
    assert table.names == ["t", "day", "mixed"]
    assert table.numbers("t", "t").tolist() == [1, 2.5] and table.columns["mixed"].tolist() == ["a", 3]
    assert table.columns["day"].dtype.kind == "M" and np.isnat(table.columns["day"][1])
    assert table.notes == (f"{tmp_path}/book.xlsx: read is the sheet data, not other",)


def test_a_workbook_without_openpyxl_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook(tmp_path / "book.xlsx", data=[["x"], [1]])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(UserError, match=r"book.xlsx needs openpyxl: pip install 'packtrain\[files\]'"):
        read(str(tmp_path / "book.xlsx"))


def test_arrays_of_more_axes_are_flattened_and_told(tmp_path: Path) -> None:
    images = np.arange(3 * 8 * 8).reshape(3, 8, 8)
    np.savez(tmp_path / "digits.npz", images=images, target=[0, 1, 0])
    data = load("file", None, "cross_entropy", path=str(tmp_path / "digits.npz"))
    assert data.train.inputs.tolist() == images.reshape(3, 64).tolist()
    assert data.train.input_names[:2] == ("images_0", "images_1")
    assert data.notes == ("images [3, 8, 8] became the columns images_0 ... images_63",)


def test_one_array_is_called_x(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", np.arange(6.0).reshape(2, 3))
    assert read(str(tmp_path / "points.npy")).names == ["x_0", "x_1", "x_2"]


def test_categories_and_times_of_pandas_are_words_and_dates(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "k": pd.Categorical(["red", None, "blue"]),
            "day": pd.to_datetime(["2024-01-31", None, "2024-02-01"]),
            "y": [1.5, None, 2],
        }
    )
    frame.to_parquet(tmp_path / "frame.parquet")
    pyarrow.feather.write_feather(pa.Table.from_pandas(frame), tmp_path / "frame.feather")
    for name in ("frame.parquet", "frame.feather"):
        table = read(str(tmp_path / name))
        assert table.columns["k"].tolist() == ["red", None, "blue"]
        assert table.columns["day"].dtype.kind == "M"
        data = load("file", None, path=str(tmp_path / name), columns={"targets": "y"}, missing="drop").train
        assert data.inputs.tolist() == [[0, 1, 0], [1, 0, 86400]]


def test_a_stream_of_arrow_is_read_as_a_file_is(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2]})
    with (
        pa.OSFile(str(tmp_path / "stream.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table)
    assert read(str(tmp_path / "stream.arrow")).columns["x"].tolist() == [1, 2]
