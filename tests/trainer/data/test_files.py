"""Files of data: the same table from every format, and one sentence for what can't be read."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from safetensors.torch import save_file

from kernels.errors import UserError
from trainer.data.files import READERS, read

COLUMNS = {"x": np.array([0.5, 1.5, 2.5]), "count": np.array([1, 2, 3])}


def write_csv(path: Path, columns: Mapping[str, Any]) -> None:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines))


def write_safetensors(path: Path, columns: Mapping[str, Any]) -> None:
    save_file({name: torch.as_tensor(column) for name, column in columns.items()}, path)


WRITERS: dict[str, Callable[[Path, Mapping[str, Any]], None]] = {
    ".csv": write_csv,
    ".parquet": lambda path, columns: pyarrow.parquet.write_table(pa.table(dict(columns)), path),
    ".npz": lambda path, columns: np.savez(path, **columns),
    ".safetensors": write_safetensors,
}


@pytest.mark.parametrize("suffix", READERS)
def test_every_format_gives_the_same_table(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"data{suffix}"
    WRITERS[suffix](path, COLUMNS)
    table = read(str(path))
    assert table.source == str(path) and set(table.columns) == set(COLUMNS)
    for name, column in COLUMNS.items():
        assert table.numbers(name, "x").tolist() == column.tolist()


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_matrix_becomes_numbered_columns(suffix: str, tmp_path: Path) -> None:
    WRITERS[suffix](tmp_path / f"data{suffix}", {"x": np.arange(6.0).reshape(2, 3)})
    columns = read(str(tmp_path / f"data{suffix}")).columns
    assert {name: column.tolist() for name, column in columns.items()} == {
        "x_0": [0, 3],
        "x_1": [1, 4],
        "x_2": [2, 5],
    }


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_safetensors_of_few_bits_are_numbers(dtype: torch.dtype, tmp_path: Path) -> None:
    save_file({"x": torch.tensor([1.0, 2.0]).to(dtype)}, tmp_path / "data.safetensors")
    assert read(str(tmp_path / "data.safetensors")).columns["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "x,count\r\n0.5,1\r\n",
        " x , count\n 0.5, 1\n",
        '"x","count"\n"0.5","1"\n',
        "\ufeffx,count\n0.5,1",
        "x,count\n\n0.5,1\n\n",
    ],
)
def test_csv_in_its_many_spellings(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(text.encode())
    table = read(str(tmp_path / "data.csv"))
    assert [table.numbers(name, "x").tolist() for name in ("x", "count")] == [[0.5], [1]]


def sentence_of(path: Path | str) -> str:
    with pytest.raises(UserError) as refused:
        read(str(path))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is empty: expected named columns with at least one row"),
        (b"x,xy\n", "is empty: expected named columns with at least one row"),
        (b"x,xy", "Empty CSV file"),
        (b"\n\n", "Empty CSV file"),
        (b"x,xy\n1,2\n3\n", "row 2: Expected 2 columns, got 1"),
        (b"x,xy\n1,2\n3,4,5\n", "row 2: Expected 2 columns, got 3"),
        (b"x,x,xy\n1,2,3\n", "two columns are called x"),
        (b"x,n\xe9\n1,2\n", "utf-8"),
        (bytes(range(256)), "can't be read as csv"),
    ],
)
def test_a_csv_that_is_no_table_is_refused(text: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(text)
    said = sentence_of(tmp_path / "bad.csv")
    assert str(tmp_path / "bad.csv") in said and told in said


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".safetensors"])
@pytest.mark.parametrize("damage", ["empty", "nonsense", "half"])
def test_a_damaged_file_is_refused(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"bad{suffix}"
    WRITERS[suffix](path, COLUMNS)
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "nonsense": b"no data, but words", "half": whole[: len(whole) // 2]}[damage]
    )
    assert f"{path} can't be read as {suffix[1:]}: " in sentence_of(path)


def test_an_npz_with_flipped_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    WRITERS[".npz"](path, COLUMNS)
    text = bytearray(path.read_bytes())
    text[60:140] = b"\xff" * 80
    path.write_bytes(text)
    assert f"{path} can't be read as npz" in sentence_of(path)


class Trap:
    """Says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", x=np.array([Trap()], dtype=object))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    assert "Object arrays cannot be loaded" in sentence_of(tmp_path / "objects.npz")
    assert "no archive of arrays" in sentence_of(tmp_path / "pickle.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"x": np.zeros((2, 2, 2))}, "the array x has the shape 2x2x2: expected N or NxK"),
        ({"x": np.float64(3)}, "the array x has the shape of one number: expected N or NxK"),
        ({"x": np.zeros(3), "xy": np.zeros(2)}, "the columns differ in length: "),
        ({"x": np.zeros((2, 1)), "x_0": np.zeros(2)}, "two columns are called x_0"),
        ({"x": np.zeros(0)}, "is empty"),
        ({}, "is empty"),
    ],
)
def test_arrays_that_are_no_columns_are_refused(
    suffix: str, columns: dict[str, Any], told: str, tmp_path: Path
) -> None:
    WRITERS[suffix](tmp_path / f"bad{suffix}", columns)
    said = sentence_of(tmp_path / f"bad{suffix}")
    assert str(tmp_path / f"bad{suffix}") in said and told in said


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "points.txt").write_text("x\n1\n")
    (tmp_path / "folder.csv").mkdir()
    assert "there is no file" in sentence_of(tmp_path / "missing.csv")
    assert "there is no file" in sentence_of("~nobody/missing.csv")
    assert "there is no file" in sentence_of("a" * 5000 + ".csv")
    assert "is a folder" in sentence_of(tmp_path / "folder.csv")
    assert "is one of .csv, .parquet, .npz, .safetensors; got '.txt'" in sentence_of(tmp_path / "points.txt")
    with pytest.raises(UserError, match=r"add data.path=FILE"):
        read(None)
