"""The benchmark of cross-entropy compares trainings that come to the same parameters."""

import pytest
import torch

from scripts.bench import bench_cross_entropy as bench


def test_the_pack_and_the_loop_are_measured() -> None:
    row = bench.measure(runs=2, steps=3, repeats=2)
    assert row["milliseconds_a_run"] > 0 and row["faster_than_torch_loop"] > 0


def test_another_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = bench.plain
    monkeypatch.setattr(bench, "plain", lambda given, steps: plain(given, steps - 1))
    with pytest.raises(AssertionError, match="not close"):
        bench.check_agreement()


def test_a_training_begins_anew_each_time() -> None:
    given = bench.engine(2, 3, "fp64")
    loop = bench.plain(given, 3)
    torch.testing.assert_close(loop(), loop(), rtol=0, atol=0)
