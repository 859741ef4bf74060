"""The benchmark of groups measures commands and a loop of curve_fit on equal parameters."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench import bench_groups
from scripts.bench.bench_groups import cube, groups, measure


@pytest.mark.thorough
def test_both_fit_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_groups, "PEERS", 9)
    for case in (groups(9, tmp_path), cube(3, tmp_path)):
        rows = measure(case, tmp_path, repeats=1)
        assert [(row["method"], row["fits"]) for row in rows] == [("packtrain", 9), ("curve_fit", 9)]
        wrong = replace(case, y=case.y + 1)
        with pytest.raises(SystemExit, match=f"{case.name}: the parameters of 100% of the fits differ"):
            bench_groups._check(wrong, tmp_path)
