"""The benchmark of surfaces: all ways agree, and what takes too long, or is wrong, is named."""

from typing import Any

import pytest
import torch

from scripts.bench import bench_surface as bench
from scripts.bench.case import OURS


@pytest.mark.parametrize("dtype", ["fp64", "fp32"])
def test_the_ways_of_the_primer_agree(dtype: str) -> None:
    rows = bench.measure("primer", dtype, bench.primer_ways(5, 70, bench.DTYPES[dtype]), repeats=2)
    assert [row["method"] for row in rows] == [OURS, "numpy", "torch"]
    assert not any(row["trouble"] for row in rows) and rows[0]["times_ours"] == 1


def test_the_ways_of_an_mlp_agree() -> None:
    rows = bench.measure("mlp", "fp32", bench.mlp_ways(4, 60, torch.float32), repeats=1)
    assert [(row["method"], row["trouble"]) for row in rows] == [(OURS, ""), ("torch", "")]


def test_a_peer_that_is_wrong_is_not_timed() -> None:
    ways = {OURS: lambda: torch.ones(3), "torch": lambda: torch.zeros(3)}
    ours, peer = bench.measure("primer", "fp32", ways, repeats=1)
    assert ours["seconds"] > 0 and peer["trouble"].startswith("disagrees by 1") and peer["seconds"] != ours


@pytest.mark.parametrize(("seconds", "late"), [(0.4, 0), (0.6, 1), (float("nan"), 1)])
def test_a_surface_that_takes_too_long_is_named(seconds: float, late: int) -> None:
    row: dict[str, Any] = {"surface": "primer", "dtype": "fp64", "method": OURS, "seconds": seconds}
    assert len(list(bench.missed([row, row | {"method": "numpy", "seconds": 9.0}]))) == late
