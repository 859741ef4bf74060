"""What many fits of groups came to together."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from packtrain.trainer.engines.many import fits_report
from packtrain.trainer.engines.rows import Rows, Some
from packtrain.trainer.folder.stored import read_table
from tests.helpers import Command

REASONS = {"cost": "it is flat", "stuck": "no step helps", "not_finite": "it isn't finite"}
GROUPS = 24


def rows_of(criteria: list[str], r_squared: list[float], value: list[float]) -> Rows:
    runs = len(criteria)
    return Rows(
        {
            "index": range(runs),
            "values": {"cell": [f"c{run}" for run in range(runs)]},
            "outcome": ["finished" if criterion == "cost" else "failed" for criterion in criteria],
            "parameters": {"k": {"value": np.array(value)}},
            "fit": {
                "criterion": criteria,
                "r_squared": np.array(r_squared),
                "residual_std": np.arange(float(runs)),
                "notes": Some({0: ["odd"]}, runs, ["common"]),
            },
        }
    )


def test_outcomes_quantiles_and_the_worst_are_told() -> None:
    criteria = ["stuck", *["cost"] * 5, "not_finite", "stuck", "not_finite"]
    r_squared = [-0.5, *[0.9, 0.8, 0.7, 0.95, 0.99], math.nan, 0.1, math.nan]
    report = fits_report(
        rows_of(criteria, r_squared, [99.0, *range(1, 6), math.nan, 99, 0]), REASONS, {8: "bad"}
    )
    assert [(case["reason"], case["runs"], case["first"]) for case in report["outcomes"]] == [
        ("converged", 5, 1),
        ("no step helps", 2, 0),
        ("it isn't finite", 1, 6),
        ("its rows can't be used", 1, 8),
    ]
    assert list(report["parameters"]["k"].values()) == pytest.approx(
        np.quantile(range(1, 6), [0.05, 0.25, 0.5, 0.75, 0.95])
    )
    assert [fit["run"] for fit in report["worst"]] == [0, 7, 3, 2, 1, 4, 5]
    assert report["worst"][0]["values"] == {"cell": "c0"} and report["worst"][0]["outcome"] == "failed"
    assert report["notes"] == [{"note": "common", "runs": 8}, {"note": "odd", "runs": 1}]


def test_without_r_squared_the_worst_have_the_largest_residuals() -> None:
    report = fits_report(rows_of(["cost"] * 12, [math.nan] * 12, [math.nan] * 12), REASONS, {})
    assert [fit["run"] for fit in report["worst"]] == list(range(11, 1, -1))
    assert report["parameters"]["k"]["median"] is None


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """Lines through 0 of slope 1, 2, ..., one of two equal points and one with a cell that is no number."""
    lines = [f"g{g},{x},{(g + 1) * x + 0.1 * (-1) ** x}" for g in range(GROUPS) for x in range(1, 6)]
    lines += ["bad,1,nan", "bad,2,2"]
    (tmp_path / "groups.csv").write_text("\n".join(["cell,t,y", *lines]) + "\n")
    return tmp_path / "groups.csv"


def fit_of(groups: Path, **more: Any) -> list[str]:
    settings = {"data.path": groups, "data.columns": "{x: t, xy: y}", "data.group": "cell"}
    settings |= {"model.initial": "{a: 1}", "model.expressions": '["xy = a*x"]'} | more
    return ["experiment=fit", *(f"{key}={value}" for key, value in settings.items())]


def test_many_groups_close_with_all_of_them_together(cli: Command, tmp_path: Path, groups: Path) -> None:
    ended = cli(*fit_of(groups))
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (
        result["fits"]["outcomes"][0]["runs"] == GROUPS and result["fits"]["outcomes"][1]["first"] == GROUPS
    )
    assert result["fits"]["parameters"]["a"]["median"] == pytest.approx(12.5, abs=0.1)
    assert result["fits"]["worst"][0]["values"] == {"cell": "g0"}
    for text in ("converged", "its rows can't be used", "median", "worst run", "g0"):
        assert text in ended.out
    lines = read_table(tmp_path / "out" / "runs.csv")
    table = parquet.read_table(tmp_path / "out" / "runs.parquet")
    assert table.column_names == lines.column_names and table["cell"].to_pylist() == lines["cell"].to_pylist()
    assert table["stderr.a"].to_pylist() == lines["stderr.a"].to_pylist()


def test_of_very_many_fits_tensorboard_has_the_summary_alone(
    cli: Command, tmp_path: Path, groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out" / "tensorboard"
    assert cli(*fit_of(groups)).code == 0
    assert len(list(folder.with_name("tensorboard-all").iterdir())) == GROUPS + 2
    monkeypatch.setattr("packtrain.trainer.tensorboard.board.SELECTED", GROUPS)
    assert cli(*fit_of(groups)).code == 0
    files = [path.relative_to(tmp_path / "out").parts[:2] for path in (tmp_path / "out").rglob("events.out*")]
    assert files == [("tensorboard", "summary")]


def test_of_several_starts_the_best_of_each_group_counts() -> None:
    fit = {"criterion": ["cost", "stuck", "cost", "cost"], "notes": [[], ["odd"], [], []]}
    fit |= {"residual_std": np.array([0.1, 2.0, 0.3, 0.2]), "r_squared": np.array([0.9, 0.1, 0.7, 0.8])}
    columns = {"index": range(4), "values": {"cell": ["a", "a", "b", "b"], "start": [0, 1, 0, 1]}}
    columns |= {"outcome": ["finished", "failed", "finished", "finished"], "fit": fit}
    columns |= {"loss": {"train": {"last": np.array([4.0, 1.0, 3.0, 2.0])}}}
    columns |= {"parameters": {"k": {"value": np.array([1.0, 2.0, 3.0, 5.0])}}}
    report = fits_report(Rows(columns), {"cost": "it is flat", "stuck": "no step helps"}, {})
    assert [case["runs"] for case in report["outcomes"]] == [2]
    assert report["parameters"]["k"]["median"] == 3.0
    assert [fit["run"] for fit in report["worst"]] == [3, 0] and not report["notes"]
