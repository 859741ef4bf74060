"""The benchmark of global fits: what it fits, and what it says of them."""

from scripts.bench import bench_shared as bench


def test_rows_are_of_fits_that_converged() -> None:
    separate, together = bench.measure(8, repeats=1)
    assert (separate["method"], together["method"]) == ("separate", "global")
    assert together["converged"] == 1.0 and together["groups"] == 8 and together["times_separate"] > 0
