"""The benchmark of one fit measures both ways on equal parameters, and says where they differ."""

from dataclasses import replace

import pytest

from scripts.bench.bench_fit import CASES, Case, measure


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_fit_the_same(case: Case) -> None:
    rows = measure(case, repeats=2)
    assert [row["method"] for row in rows] == ["curve_fit", "packtrain.fit", "the table"]


def test_another_model_would_be_found() -> None:
    wrong = replace(CASES[0], equation="y = b1*(1 - exp(-b2*x)) + 1")
    with pytest.raises(SystemExit, match="misra1a: the parameters differ"):
        measure(wrong, repeats=2)
