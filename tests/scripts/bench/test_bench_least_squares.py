"""The benchmark of fits, small: what it compares has to agree, and a ratio needs that agreement."""

from collections.abc import Callable

import pytest
import torch

from scripts.bench import bench_least_squares as bench


@pytest.mark.sampled(1)
@pytest.mark.parametrize("make", [bench.gaussian, bench.misra1a])
def test_the_pack_and_lmfit_reach_what_curve_fit_reaches(make: Callable[[int], bench.Case]) -> None:
    case = make(12)
    reference = torch.tensor(bench.squares(case, bench.by_curve_fit(case).parameters))
    packs = (bench.by_pack(case, "cpu", backend) for backend in ("torch", "triton"))
    for fitted in (*packs, bench.by_lmfit(case)):
        ours = torch.tensor(bench.squares(case, fitted.parameters))
        torch.testing.assert_close(ours, reference, rtol=bench.SAME, atol=0)
        assert fitted.converged == 1


def test_no_ratio_where_the_fits_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    by_pack = bench.by_pack

    def wrong(case: bench.Case, device: str, backend: str, clock: bench.Clock) -> bench.Fitted:
        fitted = by_pack(case, device, "torch", clock)
        return bench.Fitted(fitted.seconds, fitted.parameters * 1.01, fitted.iterations, fitted.converged)

    monkeypatch.setattr(bench, "by_pack", wrong)
    rows = {row["method"]: row for row in bench.measure(bench.misra1a(3), 1, "cpu")}
    assert rows["pack, numba"]["same_as_curve_fit"] == 0
    assert rows["pack, numba"]["faster_than_curve_fit"] == ""
    assert rows["lmfit"]["faster_than_curve_fit"] > 0


def test_what_misses_its_target_is_named() -> None:
    def row(fits: int, method: str, ratio: float | str) -> dict[str, object]:
        return {"what": "peak", "fits": fits, "method": method, "faster_than_curve_fit": ratio}

    good = [
        row(10_000, "pack, torch, cpu", 15.0),
        row(10_000, "pack, numba", 50.0),
        row(10_000, "lmfit", 0.1),
    ]
    bad = [row(10_000, "pack, torch, cpu", 14.9), row(10_000, "pack, numba", "")]
    assert bench.missed([*good, row(100, "pack, numba", 20.0), *bad]) == bad


def test_on_one_thread_each_problem_has_its_target() -> None:
    def row(what: str, method: str, ratio: float) -> dict[str, object]:
        return {"what": what, "fits": 10_000, "method": method, "faster_than_curve_fit": ratio}

    good = [
        row("gaussian 5x5", bench.COMPILED, 59),
        row("misra1a", bench.COMPILED, 31),
        row("misra1a", "lmfit", 0),
    ]
    bad = [row("gaussian 5x5", bench.COMPILED, 58.9), row("misra1a", bench.COMPILED, 30.9)]
    assert bench.missed([*good, *bad], one_thread=True) == bad
