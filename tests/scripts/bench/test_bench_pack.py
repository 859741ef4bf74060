"""The benchmark of the pack measures both ways on equal results."""

from scripts.bench.bench_pack import repeat


def test_both_ways_are_measured() -> None:
    assert set(repeat("cpu", steps=3, runs=2)) == {"pack", "one by one"}
