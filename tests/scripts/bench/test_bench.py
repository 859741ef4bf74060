"""The benchmark of kernels, small: its ways agree, its rows are whole, and a wrong one has no ratio."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from scripts.bench import __main__ as bench
from scripts.bench import bench_expression, bench_linear_relu, bench_mlp
from scripts.bench.case import FASTER, OURS, Case, row
from scripts.bench.limits import Limits

# importing its compiler, torch warns of its own code
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SLOW = pytest.mark.thorough
LIMITS = Limits(1e10, {"fp32": 1e11})


def fewer(case: Case) -> Case:
    """`case` without the peer that takes long to compile."""
    ways = {name: way for name, way in case.ways.items() if name != "torch.compile"}
    return Case(case.what, ways, case.product, case.moved, case.operations, case.samples)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_linear_relu, "SIZES", {"cpu": ((32,), (8,))})
    monkeypatch.setattr(bench_mlp, "BATCHES", {"cpu": (32,)})
    monkeypatch.setattr(bench_mlp, "WIDTHS", (8,))
    monkeypatch.setattr(bench_expression, "SIZES", {"cpu": [(1, 50), (3, 50)]})


@pytest.mark.parametrize(
    "suite", [pytest.param(name, marks=SLOW if name == "linear_relu" else ()) for name in bench.SUITES]
)
def test_the_ways_of_every_case_agree(suite: str) -> None:
    for case in bench.SUITES[suite].cases("cpu"):
        measured = row(fewer(case), LIMITS, "cpu", repeats=2)
        assert not measured["trouble"]
        assert measured[FASTER + "torch"] > 0 and measured["microseconds"] > 0


def test_a_peer_that_disagrees_has_no_ratio_and_we_alone_are_refused() -> None:
    def way(value: float) -> Any:
        return lambda: [torch.full((4,), value)]

    def case(*peers: float) -> Case:
        ways = {OURS: way(1.0)} | {f"peer{i}": way(value) for i, value in enumerate(peers)}
        return Case({"what": "ones"}, ways, "fp32", 32, 4, 4)

    measured = row(case(1.0, 1.1), LIMITS, "cpu", repeats=2)
    assert FASTER + "peer0" in measured and FASTER + "peer1" not in measured
    assert measured["trouble"] == "peer1: disagrees by 1.0e-01"
    with pytest.raises(AssertionError, match="no peer agrees"):
        row(case(1.1, 0.0), LIMITS, "cpu", repeats=2)


def test_the_floor_is_the_larger_of_bytes_and_operations() -> None:
    assert LIMITS.floor(2e10, 1e11, "fp32") == 2 and LIMITS.floor(1e10, 3e11, "fp32") == 3


def test_a_table_a_csv_file_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench.limits, "measure", lambda *_: LIMITS)
    monkeypatch.setattr(bench.SUITES["mlp"], "cases", lambda device: map(fewer, _cases(device)))
    file = tmp_path / "mlp.csv"
    arguments = ["bench", "mlp", "--device", "cpu", "--repeats", "2", "--out", str(file)]
    monkeypatch.setattr("sys.argv", arguments)
    bench.main()
    with file.open() as lines:
        (read,) = csv.DictReader(lines)
    assert read["what"] == "step" and float(read["fraction_of_limit"]) > 0 and read["commit"]
    assert "step 5 32 8 fp32" in capsys.readouterr().out
    assert "<svg" in file.with_suffix(".svg").read_text()


_cases = bench_mlp.cases


def test_torch_as_one_would_write_it_is_the_reference() -> None:
    graph = bench_expression.parse(bench_expression.GRAPHS["peaks"])
    p, x, t = (torch.rand(2, len(graph.parameters)) + 0.5, torch.rand(9, 2), torch.rand(9, 1))
    written: Tensor = bench_expression._torch(graph)(p, x, t)
    torch.testing.assert_close(written, bench_expression.expression_loss(graph, p, x, t))
