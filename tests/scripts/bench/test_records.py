"""What is recorded of ranks and streams holds what their pages say."""

import csv

from scripts.bench.bench_ranks import MOST
from tests.helpers import ROOT

RESULTS = ROOT / "scripts" / "bench" / "results"


def recorded(what: str) -> list[dict[str, str]]:
    with (RESULTS / f"{what}_cpu_x86-64_2-cores.csv").open() as file:
        return list(csv.DictReader(file))


def test_two_ranks_by_runs_cost_little_more_than_one() -> None:
    ratios = [float(row["ratio"]) for row in recorded("ranks") if row["ratio"]]
    assert len(ratios) >= 2 and max(ratios) <= MOST


def test_sharing_samples_pays_for_wide_layers() -> None:
    wide = [row for row in recorded("samples") if int(row["parameters"]) > 50_000]
    assert len(wide) >= 4
    for row in wide:
        assert int(row["blocks"]) > 1 and float(row["high"]) < 1 and float(row["processor_ratio"]) < 0.7


def test_a_stream_costs_no_more_than_shuffling_and_its_windows() -> None:
    """And is ahead of torch's DataLoader, which reads the same rows."""
    rows = [row for row in recorded("stream") if row["case"] == "training" and row["to_shuffling"]]
    assert {(row["file"], row["from"]) for row in rows} == {
        (file, place) for file in ("rows.npy", "rows.parquet") for place in ("cache", "disk")
    }
    for row in rows:
        assert float(row["to_shuffling"]) >= 0.8
        assert float(row["peak_gib"]) - float(row["window_gib"]) <= 1
    loader = [float(row["to_data_loader"]) for row in rows if row["to_data_loader"]]
    assert loader and min(loader) > 1
