"""What is wrong with a stream's files, before a training and on its way: a sentence, and nothing is lost."""

import os
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import ipc, parquet
from rich.console import Console

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.config.schema import Config
from packtrain.trainer.console import training
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.folder.checkpoint import newest
from tests.trainer.data.stream.streaming import FORMATS, columns, config, prepared, write


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_ends_too_early(kind: str, tmp_path: Path) -> None:
    file = write(tmp_path, kind)
    os.truncate(file, file.stat().st_size * 2 // 3)
    with pytest.raises(UserError, match=f"data.{kind} can't be (read|streamed): "):
        load_data(make_pack(config(file)))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_of_noise(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"data.{kind}"
    file.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(UserError, match=f"data.{kind} can't be (read|streamed): "):
        load_data(make_pack(config(file)))


def test_damage_inside_a_file(tmp_path: Path) -> None:
    file = write(tmp_path, "parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"data.parquet can't be read: "):
        load_data(make_pack(config(file)))


def _stream_of_arrow(folder: Path) -> Config:
    table = pyarrow.table(columns())
    with ipc.new_stream(folder / "data.arrow", table.schema) as sink:
        sink.write_table(table)
    return config(folder / "data.arrow")


def _packed(folder: Path) -> Config:
    np.savez_compressed(folder / "data.npz", x=columns()["x"], z=columns()["z"], y=columns()["y"])
    return config(folder / "data.npz")


def _objects(folder: Path) -> Config:
    np.save(folder / "data.npy", columns()["side"], allow_pickle=True)
    return config(folder / "data.npy")


def _missing(folder: Path) -> Config:
    y = columns()["y"]
    y[700] = np.nan
    return config(write(folder, "parquet", y=y))


def _null(folder: Path) -> Config:
    whole = [None if row == 70 else row for row in range(900)]
    table = pyarrow.table(columns() | {"z": whole})
    parquet.write_table(table, folder / "data.parquet")
    return config(folder / "data.parquet")


def _words(folder: Path) -> Config:
    given = config(write(folder, "parquet"))
    given.data.columns = {"x": "side", "z": "z"}
    return given


def _unlike(folder: Path) -> Config:
    write(folder, "parquet").rename(folder / "a.parquet")
    write(folder, "parquet", y=columns()["side"])
    return config(f"{folder}/*.parquet")


def _fewer(folder: Path) -> Config:
    write(folder, "parquet").rename(folder / "a.parquet")
    parquet.write_table(pyarrow.table({"x": [1.0], "y": [2.0]}), folder / "b.parquet")
    return config(f"{folder}/*.parquet")


def _empty(folder: Path) -> Config:
    return config(write(folder, "parquet", rows=0))


def _few(folder: Path) -> Config:
    return config(write(folder, "parquet"), window=25, block=25)


def _one_block(folder: Path) -> Config:
    return config(write(folder, "npy", rows=40), validation=0.5)


def _weights(folder: Path) -> Config:
    given = config(write(folder, "parquet"))
    given.data.columns = {"x": "x", "z": "z", "weights": "x"}
    return given


SENTENCES = {
    _stream_of_arrow: r"data.arrow can't be streamed: expected an Arrow file with an index",
    _packed: r"data.npz can't be streamed, since it is packed: write it by np.savez",
    _objects: r"data.npy can't be streamed: expected an array of numbers, got object",
    _missing: r"data.parquet, row 701, column y: expected a finite number, got nothing; data=stream",
    _null: r"data.parquet, row 71, column z: expected a finite number, got nothing",
    _words: r"takes columns of numbers, and side of .*data.parquet holds words",
    _unlike: r"column y holds words in .*data.parquet, and numbers in .*a.parquet: the files of data.path",
    _fewer: r"b.parquet has no column z, and .*a.parquet has",
    _empty: r"data.parquet has no rows",
    _few: r"loop.batch_size=32 is more than a window of blocks holds",
    _one_block: r"data.split=random holds out whole blocks, and data.path=.*data.npy is one",
    _weights: r"data=stream has no weights yet",
}  # fmt: skip


@pytest.mark.parametrize("made", SENTENCES, ids=lambda made: made.__name__.strip("_"))
def test_what_cannot_be_streamed(made: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=SENTENCES[made]):
        prepared(made(tmp_path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda given: setattr(given.loop, "batch_size", "full"), "never has all samples in memory"),
        (lambda given: setattr(given.loop, "order", "own"), "one order for all runs"),
        (lambda given: setattr(given.data, "split", "stratified"), "holds out whole blocks or the last rows"),
        (lambda given: setattr(given.data, "class_weights", "balanced"), "has no weights yet"),
        (lambda given: setattr(given.data, "shuffle", "block"), "data.shuffle is blocks or full"),
        (lambda given: setattr(given.model, "initial", {"a": "max(y)"}), "model.initial is numbers"),
        (lambda given: setattr(given.optimizer, "kind", "levenberg_marquardt"), "a minibatch at a time"),
    ],
)  # fmt: skip
def test_what_a_stream_cannot_do(change: Callable[[Config], Any], sentence: str, tmp_path: Path) -> None:
    given = config(tmp_path / "nowhere.parquet")
    change(given)
    with pytest.raises(UserError, match=sentence):
        make_pack(given)


def run(given: Config, folder: Path, stop: Callable[[], str] = lambda: "") -> None:
    training.run(make_pack(given), folder, Console(file=StringIO()), stop=stop)


def _gone(file: Path) -> None:
    file.unlink()


def _longer(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"more")


def _touched(file: Path) -> None:
    os.utime(file, ns=(1, 1))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_gone, "can't be read any more .* put it back"),
        (_longer, "has changed since it was opened"),
        (_touched, "has changed since it was opened"),
    ],
)
def test_what_happens_to_a_file_on_the_way_loses_nothing(
    change: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    file, kept = write(tmp_path, "parquet"), tmp_path / "kept.parquet"
    given = config(file)
    given.checkpoint.every = 10_000
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(given, whole)
    shutil.copy2(file, kept)
    looks = iter(range(100))

    def damage_in_time() -> str:
        if next(looks) == 4:
            change(file)
        return ""

    with pytest.raises(UserError, match=sentence):
        run(given, cut, damage_in_time)
    checkpoint = newest(cut / "checkpoint", print)
    assert checkpoint is not None and checkpoint.step > 4
    shutil.copy2(kept, file)
    run(given, cut)
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert (cut / "runs.csv").read_text() == (whole / "runs.csv").read_text()


def test_a_file_that_changed_between_two_trainings(tmp_path: Path) -> None:
    file = write(tmp_path, "npy")
    given = config(file)
    given.checkpoint.every = 10
    left = iter([""] * 6)
    run(given, tmp_path / "out", lambda: next(left, "enough"))
    write(tmp_path, "npy", z=columns()["x"])
    with pytest.raises(UserError, match="differs in the numbers of its data, which have changed since"):
        run(given, tmp_path / "out")


def test_blocks_that_are_unlike_are_told(tmp_path: Path) -> None:
    told = load_data(make_pack(config(write(tmp_path, "parquet")))).notes
    assert not [note for note in told if "unlike" in note]
    x = np.sort(columns()["x"])
    (note,) = load_data(make_pack(config(write(tmp_path, "parquet", x=x)))).notes
    assert "as in files sorted by x: their means spread by 99% of its whole spread" in note
