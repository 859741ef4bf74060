"""The benchmark of the fused engine measures its peers, and what large batches come to."""

from dataclasses import replace

import pytest

from scripts.bench import bench_fused as bench
from scripts.bench import large_batches, mlp_grid


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "training", bench.TRAININGS, ids=lambda training: f"{training.experiment}-{training.runs}"
)
def test_all_ways_are_measured_and_agree(training: bench.Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "by_jax", lambda *_: None)  # it takes long to compile
    impossible = replace(training, runs=2, batch=64, targets={"one by one": 1e9})
    row, missed = bench.measure(impossible, steps=3, repeats=1)
    assert row["milliseconds"] > 0 and row["faster_than_pack"] > 0
    assert ("faster_than_scikit-learn" in row) == (training.experiment == "gaussians")
    assert len(missed) == 1 and "below 1000000000.0" in missed[0]


def test_a_pass_over_many_samples_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_batches, "SAMPLES", 1 << 13)
    monkeypatch.setattr(large_batches, "PART", 1 << 10)
    monkeypatch.setattr(large_batches, "EXACT", (10, 14))
    assert large_batches.measure(repeats=1)["fraction_of_limit"] > 0
    for error in large_batches.errors():
        assert float(error["error"]) < 1e-6 and float(error["error_of_a_plain_sum"]) < 1e-3


def test_a_grid_of_mlps_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp_grid, "SLOWER", 0.5)
    missed: list[str] = []
    row = mlp_grid.measured(mlp_grid.Cell(2, 32, 2), seconds=0, repeats=1, missed=missed)
    assert row["what"] == "MLP of width 2, 2 runs, minibatches of 32" and row["auto"] == "fused"
    assert row["auto_slower_than_better"] >= 1 and row["auto_faster_than_plain"] > 0
    assert "times slower than the better engine" in missed[0]


def test_what_takes_too_long_is_left_out_of_the_grid() -> None:
    cells = mlp_grid.cells()
    assert mlp_grid.Cell(512, 8192, 1) in cells and mlp_grid.Cell(512, 32, 256) not in cells
    assert {cell.width for cell in cells} == {*mlp_grid.WIDTHS} and len(cells) > 30
