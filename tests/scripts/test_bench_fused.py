"""The benchmark of the fused engine measures three ways of the same training."""

from scripts.bench.bench_fused import check_agreement, repeat


def test_all_ways_are_measured_and_agree() -> None:
    check_agreement()
    seconds = repeat(runs=2, steps=3)
    assert set(seconds) == {"fused", "pack", "one by one"} and min(seconds.values()) > 0
