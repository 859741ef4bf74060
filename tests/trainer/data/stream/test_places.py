"""Files behind URLs, through fsspec, and rows that are shuffled once on disk."""

from pathlib import Path

import fsspec
import numpy as np
import pytest
from pyarrow import parquet

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.data.stream.places import places
from packtrain.trainer.data.stream.shuffle import shuffle
from packtrain.trainer.data.stream.streamed import Streamed
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.terminal.shuffle import read_shuffle
from tests.trainer.data.stream.streaming import ROWS, columns, config, outcome, prepared, write


@pytest.mark.parametrize("kind", ["parquet", "npy"])
def test_a_url_is_streamed_as_a_file_is(kind: str, tmp_path: Path) -> None:
    file = write(tmp_path, kind)
    url = f"memory://streamed/data.{kind}"
    fsspec.filesystem("memory").pipe(url, file.read_bytes())
    session = prepared(config(url))
    assert isinstance(session.data.train, Streamed)
    assert outcome(session) == outcome(prepared(config(file)))


def test_urls_that_are_like_a_pattern(tmp_path: Path) -> None:
    file = write(tmp_path, "parquet")
    for name in ("b", "a"):
        fsspec.filesystem("memory").pipe(f"memory://many/{name}.parquet", file.read_bytes())
    assert [place.path for place in places("memory://many/*.parquet")] == [
        "/many/a.parquet",
        "/many/b.parquet",
    ]
    assert len(load_data(make_pack(config("memory://many/*.parquet"))).train) == 2 * ROWS


@pytest.mark.parametrize("url", ["nowhere://data/rows.npy", "memory://none/rows.npy", "memory://none/*.npy"])
def test_a_url_that_leads_nowhere(url: str) -> None:
    with pytest.raises(UserError, match=r"(nowhere|can't be read|no file is like)"):
        load_data(make_pack(config(url)))


def test_shuffled_rows_are_the_same_rows(tmp_path: Path) -> None:
    made, to = columns(), tmp_path / "shuffled.parquet"
    file = write(tmp_path, "parquet", x=np.sort(made["x"]))
    assert shuffle(str(file), to, together=200) == ROWS
    before, after = (parquet.read_table(path).to_pylist() for path in (file, to))
    assert before != after
    assert sorted(before, key=repr) == sorted(after, key=repr)
    assert abs(np.corrcoef([row["x"] for row in after], np.arange(ROWS))[0, 1]) < 0.1
    assert [path.name for path in tmp_path.iterdir()].count("shuffled.parquet") == 1
    assert not list(tmp_path.glob(".shuffling*"))
    assert not load_data(make_pack(config(to))).notes
    with pytest.raises(UserError, match="is there already"):
        shuffle(str(file), to)


def test_words_of_the_command() -> None:
    assert read_shuffle(["a.npy", "b.parquet"])["seed"] == 0
    with pytest.raises(UserError, match="expected packtrain shuffle FILES"):
        read_shuffle(["a.npy"])
