"""The benchmark of functions, small: the ways agree, and what is behind NumPy or a peer is named."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from packtrain.kernels.expression import expression_loss
from packtrain.kernels.language import parse
from packtrain.kernels.language.graph import ExpressionError
from scripts.bench import bench_functions as bench
from scripts.bench import function_peers as peers
from scripts.bench.case import OURS, loss_and_gradient, troubles

# importing its compiler, torch warns of its own code
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EXP = peers.FUNCTIONS[0]


def row(method: str, of_numpy: float | str, of_best_peer: float | str, trouble: str = "") -> dict[str, Any]:
    ratios = {bench.OF_NUMPY: of_numpy, bench.OF_BEST_PEER: of_best_peer}
    return {"function": "exp", "dtype": "fp64", "method": method, **ratios, "trouble": trouble}


@pytest.mark.parametrize("function", peers.FUNCTIONS, ids=lambda function: function.name)
def test_every_peer_computes_what_the_reference_does(function: peers.Function) -> None:
    given = peers.samples_of(function, torch.float64, 100)
    try:
        ways, missing = peers.ways(given, compiled=False)
    except ExpressionError:
        assert function.name == "erf"  # until the language has it
        return
    p = given.parameters.clone().requires_grad_()
    reference = expression_loss(parse(function.text), p, given.inputs, given.targets)
    ways[OURS] = loss_and_gradient(lambda: reference, p)
    assert not troubles(ways, "fp64", {})
    assert {"torch", "numexpr", "jax"} <= ways.keys() | missing.keys()


@pytest.mark.parametrize("dtype", bench.DTYPES)
def test_a_row_a_way(dtype: str) -> None:
    rows = bench.measure(EXP, dtype, samples=100, repeats=2, compiled=False)
    assert [row["method"] for row in rows][:2] == [OURS, "torch"] and rows[-1]["method"] == bench.ALONE
    for row in rows:
        assert bench.line(row)
        assert bool(row["trouble"]) or row["p20"] <= row["million_samples_per_second"] <= row["p80"]
    assert rows[0][bench.OF_NUMPY] > 0 and rows[0][bench.OF_BEST_PEER] > 0
    assert rows[-1][bench.OF_NUMPY] == rows[-1][bench.OF_BEST_PEER] == ""


def test_numpy_alone_fills_the_array() -> None:
    given = peers.samples_of(EXP, torch.float32, 8)
    calls = []

    def alone(u: Any, out: Any) -> None:
        calls.append((u, out))

    spied = peers.Samples(replace(EXP, alone=alone), given.inputs, given.targets, given.parameters)
    peers.alone(spied)()
    assert sum(len(out) for _, out in calls) == peers.values_alone(spied)
    torch.testing.assert_close(torch.from_numpy(calls[0][0]), 0.7 * given.inputs[:, 0])


def test_a_peer_that_disagrees_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    ways_of = bench.ways

    def wrong(given: peers.Samples, compiled: bool) -> Any:
        ways, missing = ways_of(given, compiled)
        return ways | {"wrong": lambda: [1.01 * part for part in ways["torch"]()]}, missing

    monkeypatch.setattr(bench, "ways", wrong)
    rows = {row["method"]: row for row in bench.measure(EXP, "fp64", 100, 1, compiled=False)}
    assert rows["wrong"]["trouble"] == "disagrees by 1.0e-02"
    assert rows["wrong"]["million_samples_per_second"] == rows["wrong"][bench.OF_NUMPY] == ""
    peers_ratios = [row[bench.OF_BEST_PEER] for name, row in rows.items() if name not in (OURS, bench.ALONE)]
    assert max(ratio for ratio in peers_ratios if ratio) == 1


def test_what_the_language_lacks_is_a_row() -> None:
    lacking = replace(EXP, text="xy = a*expo(k*xt) + c")
    (only,) = bench.measure(lacking, "fp64", samples=100, repeats=1)
    assert "unknown function expo" in only["trouble"] and "unknown function expo" in bench.line(only)
    assert len(list(bench.missed([only]))) == len(bench.TARGETS)


def test_a_ratio_is_of_speeds_in_one_round() -> None:
    speeds = {OURS: [2.0, 4.0, 60.0], "slow": [1.0, 1.0, 1.0], "fast": [1.0, 4.0, 30.0]}
    speeds[bench.ALONE] = [4.0, 16.0, 600.0]
    assert bench._ratios(speeds)[OURS] == {bench.OF_NUMPY: 0.25, bench.OF_BEST_PEER: 2.0}


def test_what_misses_its_target_is_named() -> None:
    good = [row(OURS, 0.5, 1.0), row("torch", 0.1, 0.5), row(bench.ALONE, "", "")]
    assert not list(bench.missed(good))
    assert list(bench.missed([row(OURS, 0.49, 1.0), row(OURS, 0.6, 0.99)])) == [
        "exp fp64, of_numpy: 0.49, below 0.5",
        "exp fp64, of_best_peer: 0.99, below 1.0",
    ]
