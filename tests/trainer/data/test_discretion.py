"""Files with a secret in a cell that is refused: a service names file, row and column, not the cell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
from astropy.table import Table as FitsTable

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import Graph, parse
from packtrain.trainer.config.schema import DataConfig
from packtrain.trainer.data.discretion import discreet, kept_back
from packtrain.trainer.data.sources import load
from packtrain.trainer.service.data_folder import within

SECRET, NUMBER = "hunter2", 987654321
WORDS = {"x": ["1", SECRET, "3"], "y": [1.0, 2.0, 3.0]}
LINE = parse("y = a*x")


def _xlsx(file: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["x", "y"], *zip(*WORDS.values(), strict=True)):
        book.active.append(row)
    book.save(file)


def _hdf5(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened["x"], opened["y"] = WORDS["x"], WORDS["y"]


def _npz(file: Path) -> None:
    np.savez(file, x=np.array(WORDS["x"]), y=np.arange(3.0))


WITH_A_WORD: dict[str, Callable[[Path], Any]] = {
    "a.csv": lambda file: file.write_text(f"x,y\n1,1\n{SECRET},2\n3,3\n"),
    "a.tsv": lambda file: file.write_text(f"x\ty\n1\t1\n{SECRET}\t2\n3\t3\n"),
    "a.parquet": lambda file: pyarrow.parquet.write_table(pyarrow.table(WORDS), file),
    "a.arrow": lambda file: pyarrow.feather.write_feather(pyarrow.table(WORDS), str(file)),
    "a.npz": _npz,
    "a.npy": lambda file: np.save(file, np.array([("1", 1.0), (SECRET, 2.0)], [("x", "U9"), ("y", "f8")])),
    "a.xlsx": _xlsx,
    "a.h5": _hdf5,
    "a.fits": lambda file: FitsTable(WORDS).write(file),
}
DAMAGED = {
    "a.csv": f"x,y\n1,1\n2,2,{SECRET}\n",
    "a.parquet": f"PAR1{SECRET}PAR1",
    "a.arrow": f"ARROW1{SECRET}",
    "a.npy": "\x93NUMPY\x01\x00\x30\x00{'descr': '" + SECRET + "', 'fortran_order': 0,     }\n",
    "a.npz": f"PK{SECRET}",
    "a.xlsx": f"PK{SECRET}",
    "a.h5": SECRET,
    "a.fits": f"SIMPLE  = {SECRET}",
    "a.safetensors": "\x40"
    + "\0" * 7
    + '{"x": {"dtype": "'
    + SECRET
    + '", "shape": [1], "data_offsets": [0,0]}}',
}


def sentence(folder: Path, config: DataConfig, graph: Graph | None = LINE, loss: str = "mse") -> str:
    """What is said of it in a service."""
    with discreet(within(folder)), pytest.raises(UserError) as raised:
        load(config, graph, loss, torch.device("cpu"), torch.float32)
    return str(raised.value)


def owners(config: DataConfig, graph: Graph | None = LINE, loss: str = "mse") -> str:
    """What is said of it to who owns the data."""
    with pytest.raises(UserError) as raised:
        load(config, graph, loss, torch.device("cpu"), torch.float32)
    return str(raised.value)


@pytest.fixture(autouse=True)
def _in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", WITH_A_WORD)
def test_a_word_among_numbers_is_not_quoted(name: str, tmp_path: Path) -> None:
    WITH_A_WORD[name](tmp_path / name)
    config = DataConfig("file", path=name)
    said = sentence(tmp_path, config)
    assert said.startswith(f"{name}, row 2, column x: expected a finite number") and SECRET not in said
    assert SECRET in owners(config)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_a_library_says_of_a_file_is_not_quoted(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(DAMAGED[name], encoding="latin-1")
    said = sentence(tmp_path, DataConfig("file", path=name))
    assert said.startswith(f"{name} can't be read as {name[2:]}: ") and SECRET not in said
    assert str(tmp_path) not in said
    owners(DataConfig("file", path=name))


def test_a_line_with_too_many_cells_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(DAMAGED["a.csv"])
    assert sentence(tmp_path, DataConfig("file", path="a.csv")).endswith("can't be read as csv: row 2 of it")
    assert SECRET in owners(DataConfig("file", path="a.csv"))


def test_a_metadata_of_zarr_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "' + SECRET + '"}')
    assert SECRET not in sentence(tmp_path, DataConfig("file", path="a.zarr"))


MANY = "\n".join(f"{SECRET}{i},1" for i in range(101))
CELLS = {
    "a date": ({"encode": {"x": "seconds"}}, f"x,y\n2024-01-31,1\n{SECRET},2\n", LINE, "mse"),
    "a weight": ({"columns": {"weights": "w"}}, f"x,y,w\n1,1,1\n2,2,-{NUMBER}\n", LINE, "mse"),
    "an error": ({"columns": {"sigma": "w"}}, f"x,y,w\n1,1,1\n2,2,-{NUMBER}\n", LINE, "mse"),
    "a count": ({}, f"x,y\n1,1\n2,-{NUMBER}\n", LINE, "poisson"),
    "large integers": ({}, f"x,y\n{NUMBER}000000001,1\n{NUMBER}000000002,2\n", LINE, "mse"),
    "a category": ({"encode": {"x": ["red", "blue"]}}, f"x,y\nred,1\n{SECRET},2\n", LINE, "mse"),
    "many words": ({"columns": {"targets": "y"}}, f"x,y\n{MANY}\n", None, "mse"),
    "a class that isn't there": (
        {"columns": {"inputs": ["c=hunter"], "targets": "y"}}, f"c,y\n{SECRET},1\nred,2\n", None, "mse",
    ),
    "a class's weight": (
        {"class_weights": {"hunter": 2}}, f"x,target\n1,{SECRET}\n2,red\n", None, "cross_entropy",
    ),
    "class weights that are none": (
        {"class_weights": "hunter"}, f"x,target\n1,{SECRET}\n2,red\n", None, "cross_entropy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS)
def test_no_sentence_about_cells_quotes_one(case: str, tmp_path: Path) -> None:
    fields, text, graph, loss = CELLS[case]
    (tmp_path / "a.csv").write_text(text)
    config = DataConfig("file", path="a.csv", **fields)
    said = sentence(tmp_path, config, graph, loss)
    assert SECRET not in said and str(NUMBER) not in said.replace(",", ""), said
    whole = owners(config, graph, loss)
    assert SECRET in whole or f"{NUMBER}"[:4] in whole.replace(".", "").replace(",", ""), whole


def test_files_elsewhere_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("x,y\n1,2\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    paths = str(tmp_path / "secret.csv"), "../secret.csv", "link.csv", "*.csv", "~/a.csv", "/etc/*.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for path in paths:
            said = sentence(folder, DataConfig("file", path=path))
            assert "data folder" in said or "a link" in said, (path, said)


def test_what_nobody_expected_is_named_and_not_quoted(tmp_path: Path) -> None:
    assert str(kept_back(KeyError(SECRET))) == f"'{SECRET}'"
    with discreet(within(tmp_path)):
        assert str(kept_back(KeyError(SECRET))) == "the data can't be read: KeyError"
        assert str(kept_back(UserError("said"))) == "said"
