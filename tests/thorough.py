"""What the default run leaves to `pytest -m thorough`: rows of parameters, and examples of Hypothesis."""

import os
from collections import defaultdict

import pytest
from hypothesis import settings

FEWER = "PACKTRAIN_FEWER_EXAMPLES"  # set in a default run
FEW = "emulated", "cluster"  # markers that few files name
RUNS_ELSEWHERE = "gpu", "cluster", "only_emulated"


def choose_examples(config: pytest.Config) -> None:
    """`-m thorough` runs the tests with this marker, and those of Hypothesis with all their examples."""
    marks = config.option.markexpr
    os.environ[FEWER] = "1" if "not thorough" in marks else ""
    settings.register_profile("packtrain", max_examples=examples(100), deadline=None)
    settings.load_profile("packtrain")
    if marks == "thorough":
        config.option.markexpr = "(thorough or hypothesis) and not gpu and not cluster and not only_emulated"


def examples(count: int) -> int:
    """How many examples Hypothesis tries where it tries `count`: a sixth of them in a default run."""
    return -(-count // 6) if os.environ.get(FEWER) else count


def leave_samples(items: list[pytest.Item]) -> None:
    """Of each test marked `sampled`, all rows become `thorough` but some."""
    rows: dict[tuple[str, ...], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            marks = (name for name in RUNS_ELSEWHERE if item.get_closest_marker(name))
            rows[item.nodeid.partition("[")[0], *marks].append(item)
    for of_one_test in rows.values():
        marker = of_one_test[0].get_closest_marker("sampled")
        kept = spaced(len(of_one_test), *marker.args) if marker and marker.args else covering(of_one_test)
        for index, item in enumerate(of_one_test):
            if index not in kept:
                item.add_marker(pytest.mark.thorough)


def spaced(among: int, number: int) -> set[int]:
    """The first of `among` rows, the last, and others at equal distances, `number` together.

    >>> sorted(spaced(10, 4)), sorted(spaced(2, 4)), sorted(spaced(5, 1))
    ([0, 3, 6, 9], [0, 1], [0])
    """
    number = min(number, among)
    return {round(index * (among - 1) / max(number - 1, 1)) for index in range(number)}


def covering(rows: list[pytest.Item]) -> set[int]:
    """Rows in which each value of each parameter is at least once, few of them."""
    values = [_values(row) for row in rows]
    left, kept = set[tuple[str, str]]().union(*values), set[int]()
    while left:
        best = max(range(len(rows)), key=lambda index: len(values[index] & left))
        kept.add(best)
        left -= values[best]
    return kept


def _values(row: pytest.Item) -> set[tuple[str, str]]:
    callspec = getattr(row, "callspec", None)
    parameters = callspec.params if callspec else {}
    return {(name, repr(value)) for name, value in parameters.items()} or {("", "")}
