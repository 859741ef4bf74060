"""Files of data: the same table from every format, and one sentence for what can't be read."""

import gzip
import os
import pickle
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
import zarr
from astropy.io import fits
from safetensors.torch import save_file

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.data.files import read as reading
from packtrain.trainer.data.files.read import READERS, read
from packtrain.trainer.data.select import select

COLUMNS = {"x": np.array([0.5, 1.5, 2.5]), "count": np.array([1, 2, 3])}


def write_csv(path: Path, columns: Mapping[str, Any]) -> None:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines))


def write_tabs(path: Path, columns: Mapping[str, Any]) -> None:
    write_csv(path, columns)
    path.write_text(path.read_text().replace(",", "\t"))


def packed(write: Callable[[Path, Mapping[str, Any]], None]) -> Callable[[Path, Mapping[str, Any]], None]:
    def write_packed(path: Path, columns: Mapping[str, Any]) -> None:
        write(path, columns)
        path.write_bytes(gzip.compress(path.read_bytes()))

    return write_packed


def write_npy(path: Path, columns: Mapping[str, Any]) -> None:
    """A structured array, whose fields are the columns."""
    np.save(path, np.rec.fromarrays([*columns.values()], dtype=[(n, c.dtype) for n, c in columns.items()]))


def write_xlsx(path: Path, columns: Mapping[str, Any]) -> None:
    book = openpyxl.Workbook()
    for row in ([*columns], *zip(*(column.tolist() for column in columns.values()), strict=True)):
        book.worksheets[0].append(row)
    book.save(path)


def write_fits(path: Path, columns: Mapping[str, Any]) -> None:
    kinds = {"f": "D", "i": "K"}
    parts = [fits.Column(name, kinds[cells.dtype.kind], array=cells) for name, cells in columns.items()]
    fits.BinTableHDU.from_columns(parts).writeto(path)


def write_hdf5(path: Path, columns: Mapping[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            file[name] = column


def write_zarr(path: Path, columns: Mapping[str, Any]) -> None:
    group = zarr.open_group(path, mode="w")
    for name, column in columns.items():
        group[name] = column


def write_safetensors(path: Path, columns: Mapping[str, Any]) -> None:
    save_file({name: torch.as_tensor(column) for name, column in columns.items()}, path)


WRITERS: dict[str, Callable[[Path, Mapping[str, Any]], None]] = {
    ".csv": write_csv,
    ".tsv": write_tabs,
    ".csv.gz": packed(write_csv),
    ".tsv.gz": packed(write_tabs),
    ".arrow": lambda path, columns: pyarrow.feather.write_feather(
        pa.table(dict(columns)), path, compression="uncompressed"
    ),
    ".feather": lambda path, columns: pyarrow.feather.write_feather(pa.table(dict(columns)), path),
    ".xlsx": write_xlsx,
    ".npy": write_npy,
    ".fits": write_fits,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
    ".zarr": write_zarr,
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
    """Why the file can't be read, or all its columns not be used together."""
    with pytest.raises(UserError) as refused:
        table = read(str(path))
        for name in table.names:
            table.column(name, "the inputs")
        table.rows(table.names)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
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
def test_a_csv_that_is_no_table_is_refused(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(text)
    said = sentence_of(tmp_path / "bad.csv")
    assert str(tmp_path / "bad.csv") in said and message in said


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix not in (".csv", ".tsv", ".zarr")])
@pytest.mark.parametrize("damage", ["nothing", "nonsense", "half"])
def test_a_damaged_file_is_refused(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"bad{suffix}"
    WRITERS[suffix](path, COLUMNS)
    whole = path.read_bytes()
    path.write_bytes(
        {"nothing": b"\0", "nonsense": b"no data, but words", "half": whole[: len(whole) // 2]}[damage]
    )
    assert f"{path} can't be read as {suffix[1:]}: " in sentence_of(path)


def test_an_npz_with_flipped_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    WRITERS[".npz"](path, COLUMNS)
    text = bytearray(path.read_bytes())
    text[60:140] = b"\xff" * 80
    path.write_bytes(text)
    assert f"{path} can't be read as npz" in sentence_of(path)


def test_an_npz_packed_as_it_should_not_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, x=np.arange(1000.0))
    whole = path.read_bytes()
    for at in (whole.index(b"PK\1\2") + 10, 150, 300):  # how it is packed, and what is packed
        path.write_bytes(whole[:at] + b"\xff\xff" + whole[at + 2 :])
        assert f"{path} can't be read as npz: " in sentence_of(path)


def header_of(shape: object, dtype: str = "<f8") -> bytes:
    """The beginning of an array as NumPy writes it, whose shape may be anything."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


@pytest.mark.parametrize(
    "shape", ["(10**15,)", "(1000000000000000,)", "(1000, 1000000000000)", "(-3,)", "(2,)", "(4,)"]
)
def test_an_npz_whose_shape_is_not_its_size_is_refused_before_memory_is_reserved(
    shape: str, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("x.npy", header_of(shape) + np.arange(3.0).tobytes())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "can't be read as npz" in sentence_of(tmp_path / "bad.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


def test_a_csv_larger_than_the_memory_is_refused_unread(tmp_path: Path) -> None:
    """It has a hole, and so takes no room."""
    with (tmp_path / "large.csv").open("wb") as file:
        file.write(b"x,xy\n1,2\n")
        file.truncate(1 << 43)
    said = sentence_of(tmp_path / "large.csv")
    assert "large.csv takes 8,796.1 GB in memory, and " in said and "take fewer rows" in said


@pytest.mark.parametrize(
    ("suffix", "takes"),
    [(".npz", 2 * 8128), (".npz packed", 2 * 8128), (".parquet", 24_000), (".safetensors", 16_000)],
)
def test_what_unpacks_to_more_than_the_memory_is_refused_unread(
    suffix: str, takes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand equal rows take no room in most of these files."""
    path = tmp_path / f"large{suffix.removesuffix(' packed')}"
    columns = {"x": np.zeros(1000), "xy": np.zeros(1000)}
    if suffix == ".npz packed":
        np.savez_compressed(path, x=columns["x"], xy=columns["xy"])
        assert path.stat().st_size < 1000
    else:
        WRITERS[suffix](path, columns)
    monkeypatch.setattr(reading, "available_memory", lambda: takes - 1)
    assert "GB in memory" in sentence_of(path)
    monkeypatch.setattr(reading, "available_memory", lambda: takes + 1000)
    assert len(read(str(path)).columns) == 2


def test_the_memory_is_measured() -> None:
    everything = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert everything // 100 < reading.available_memory() <= everything


def test_columns_of_things_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    table = pa.table({"x": [[1, 2], [3]], "y": [{"a": 1}, {"a": 2}], "z": [b"ab", b"c"], "w": [1.0, 2.0]})
    pyarrow.parquet.write_table(table, tmp_path / "nested.parquet")
    found = read(str(tmp_path / "nested.parquet"))
    assert found.numbers("w", "x").tolist() == [1, 2]
    for name in "xyz":
        with pytest.raises(UserError, match=f"row 1, column {name}: expected a finite number"):
            found.numbers(name, "x")


def test_pipes_and_devices_are_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "zero.csv"):
        assert sentence_of(tmp_path / name).endswith(f"{name} is a pipe or a device")


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
    ("columns", "message"),
    [
        ({"x": np.float64(3)}, "the array x has the shape of one number: expected N or NxK"),
        ({"x": np.zeros(3), "xy": np.zeros(2)}, "the columns differ in length: "),
        ({"x": np.zeros((2, 1)), "x_0": np.zeros(2)}, "two columns are called x_0"),
        ({"x": np.zeros(0)}, "is empty"),
        ({}, "is empty"),
    ],
)
def test_arrays_that_are_no_columns_are_refused(
    suffix: str, columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    WRITERS[suffix](tmp_path / f"bad{suffix}", columns)
    said = sentence_of(tmp_path / f"bad{suffix}")
    assert str(tmp_path / f"bad{suffix}") in said and message in said


def test_what_is_not_used_may_be_of_any_kind(tmp_path: Path) -> None:
    good = {"x": np.arange(3.0), "xy": np.arange(3.0)}
    bad = {
        "about": np.float64(3), "cube": np.zeros((2, 2, 2)), "short": np.zeros(2), "k": np.zeros((2, 1)),
        "k_0": np.zeros(3), "objects": np.array([Trap()], dtype=object), "z": np.ones(3) * 1j,
    }  # fmt: skip
    np.savez(tmp_path / "mixed.npz", **good, **bad)
    (tmp_path / "twice.csv").write_text("x,k,xy,k\n0,1,0,1\n1,1,1,1\n2,1,2,1\n")
    for name in ("mixed.npz", "twice.csv"):
        table = read(str(tmp_path / name))
        found = select(table, {}, parse("xy = a*x"), False)
        assert found.inputs[:, 0].tolist() == found.targets[:, 0].tolist() == [0, 1, 2]
        for column in table.names[2:] if name == "mixed.npz" else ["k"]:
            with pytest.raises(UserError, match=column.removesuffix("_0")):
                select(table, {"x": column}, parse("xy = a*x"), False)
        with pytest.raises(UserError, match=r"k"):
            select(table, {"targets": "xy"}, None, False)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_names_may_have_any_letters(tmp_path: Path) -> None:
    """Accents as one character or as two are the same, in files and in the config."""
    composed, apart = "Länge", "La\u0308nge"
    for suffix, write in WRITERS.items():
        if suffix == ".fits":  # whose names are ASCII
            continue
        write(tmp_path / f"data{suffix}", {apart: np.arange(3.0), "δ": np.arange(3.0)})
        table = read(str(tmp_path / f"data{suffix}"))
        for name in (composed, apart):
            found = select(table, {"x": name, "xy": "δ"}, parse("xy = a*x"), False)
            assert found.inputs[:, 0].tolist() == [0, 1, 2]
            found = select(table, {"inputs": [name], "targets": "δ"}, None, False)
            assert found.input_names == (composed,)


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "points.txt").write_text("x\n1\n")
    (tmp_path / "folder.csv").mkdir()
    assert "there is no file" in sentence_of(tmp_path / "missing.csv")
    assert "there is no file" in sentence_of("~nobody/missing.csv")
    assert "there is no file" in sentence_of("a" * 5000 + ".csv")
    assert "is a folder" in sentence_of(tmp_path / "folder.csv")
    assert "is one of .csv, .tsv, .csv.gz, .tsv.gz, .parquet," in sentence_of(tmp_path / "points.txt")
    with pytest.raises(UserError, match=r"add data.path=FILE"):
        read(None)
