"""The benchmark of the fused engine measures three ways of the same training."""

from dataclasses import replace

import pytest

from scripts.bench import bench_fused as bench


@pytest.mark.parametrize("training", bench.TRAININGS, ids=lambda training: training.experiment)
def test_all_ways_are_measured_and_agree(training: bench.Training) -> None:
    impossible = replace(training, runs=2, targets={"one by one": 1e9})
    row, missed = bench.measure(impossible, steps=3, repeats=1)
    assert row["fused_seconds"] > 0 and row["faster_than_pack"] > 0
    assert len(missed) == 1 and "below 1000000000.0" in missed[0]
