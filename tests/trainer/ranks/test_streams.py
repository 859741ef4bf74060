"""Ranks that stream make files of the same bits as one process does with data in memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from packtrain.trainer.config.pack import make_pack
from packtrain.trainer.console.training import run
from tests.helpers import result_in
from tests.trainer.configs import compose
from tests.trainer.data.stream.streaming import write
from tests.trainer.ranks.company import Company, train
from tests.trainer.ranks.test_bits import hashes

ROWS, BATCH = 16_000, 2_500
QUIET = "compute.device=cpu", "monitor=quiet", "~experiment", "name=streamed", "checkpoint.every=5"
LAYERS = "model=mlp", "model.loss=mse", "optimizer=adam", "optimizer.lr=0.003", f"loop.batch_size={BATCH}"
CASES = {
    "runs": ("model.widths=[8]", 'pack.over={seed: "range(0,3)"}'),
    "samples": ("model.widths=[180,180]", "engine=step", "compute.split=samples"),
}  # of 2,500 samples, ranks by samples have 2,048 and 452
NAMES = {"npy": "{inputs: [x_0, x_1], targets: x_2}", "parquet": "{inputs: [x, z], targets: y}"}
BLOCKS, ROWS_ALONE = ("data.shuffle=blocks",), ("data.shuffle=full",)
STREAM = "data.block=700", "data.window=5600"  # three windows an epoch


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    with Company(2) as company:
        yield company


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    return {kind: write(folder, kind, ROWS) for kind in NAMES}


def settings(split: str, file: Path, data: str, *others: str) -> tuple[str, ...]:
    names = f"data.columns={NAMES[file.suffix[1:]]}"
    return (
        *QUIET,
        *LAYERS,
        *CASES[split],
        f"data={data}",
        f"data.path={file}",
        names,
        "loop.epochs=null",
        *others,
    )


@pytest.mark.parametrize(
    ("split", "kind", "order"),
    [
        ("runs", "npy", BLOCKS),
        pytest.param("runs", "npy", ROWS_ALONE, marks=pytest.mark.thorough),
        ("samples", "npy", BLOCKS),
        pytest.param("samples", "npy", ROWS_ALONE, marks=pytest.mark.thorough),
        pytest.param("samples", "parquet", BLOCKS, marks=pytest.mark.thorough),
    ],
)
def test_ranks_stream_to_the_same_bits(
    split: str, kind: str, order: tuple[str, ...], company: Company, files: dict[str, Path], tmp_path: Path
) -> None:
    given = *order, *STREAM, "loop.steps=8"
    assert train(tmp_path / "memory", settings(split, files[kind], "file", *given)) == ""
    assert company.train(tmp_path / "ranks", *settings(split, files[kind], "stream", *given)) == ""
    assert hashes(tmp_path / "ranks") == hashes(tmp_path / "memory")
    assert result_in(tmp_path / "ranks")["split"] == split


@pytest.mark.parametrize("split", [pytest.param("runs", marks=pytest.mark.thorough), "samples"])
def test_two_ranks_go_on_where_one_stopped(
    split: str, company: Company, files: dict[str, Path], tmp_path: Path
) -> None:
    """In the middle of a window, of an epoch, and of a block of steps."""
    given = settings(split, files["npy"], "stream", *BLOCKS, *STREAM, "loop.steps=14")
    whole, cut, left = tmp_path / "whole", tmp_path / "cut", iter([""] * 3)
    assert train(whole, given) == ""
    run(make_pack(compose(*given), given), cut, Console(quiet=True), stop=lambda: next(left, "enough"))
    before = json.loads((cut / "result.json").read_text())
    assert 0 < before["steps"] < 14
    assert company.train(cut, *given) == ""
    assert hashes(cut) == hashes(whole)
