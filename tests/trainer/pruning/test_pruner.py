"""Which runs are stopped, and where: each rule against what it says in plain Python."""

import math
import statistics
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.trainer.config.schema import PRUNERS
from packtrain.trainer.pruning.pruner import (
    NEVER,
    WHY,
    Halving,
    Median,
    Patience,
    Pruner,
    first_rung,
    geometric,
    make_pruner,
)
from tests.strategies import few
from tests.trainer.configs import pack_of

COST = st.sampled_from([0.0, 1.0, 2.0, 3.0, 1e30, math.inf, math.nan])  # few, so that some are equal
RUNS = st.lists(st.tuples(COST, st.booleans()), min_size=1, max_size=12)
Runs = list[tuple[float, bool]]  # the cost of each, and whether it trains


def gone(pruner: Pruner, runs: Runs) -> set[int]:
    costs, training = zip(*runs, strict=True)
    found = pruner.leaving(torch.tensor(costs, dtype=torch.float32), torch.tensor(training))
    return set(found.nonzero()[:, 0].tolist())


def judged(runs: Runs) -> tuple[list[int], set[int]]:
    """The runs that train whose cost is finite, and all that train."""
    training = {run for run, (_, trains) in enumerate(runs) if trains}
    return [run for run in sorted(training) if math.isfinite(runs[run][0])], training


@few
@given(RUNS, st.integers(2, 4))
def test_the_better_fraction_stays_and_of_equals_the_first(runs: Runs, factor: int) -> None:
    known, training = judged(runs)
    ranked = sorted(known, key=lambda run: (runs[run][0], run))
    stay = ranked[: max(1, len(known) // factor)]
    assert gone(Halving([1], factor), runs) == training - set(stay)


def median_rule(columns: list[tuple[float, ...]]) -> list[int | None]:
    """The judgement at which each run goes, by its cost [run] at each of them [column]."""
    seen: list[list[float]] = [[] for _ in columns[0]]
    left: dict[int, int] = {}
    for count, column in enumerate(columns):
        training = [run for run in range(len(seen)) if run not in left]
        for run in training:
            seen[run] += [column[run]] if math.isfinite(column[run]) else []
        means = [sum(costs) / len(costs) for costs in seen if costs]
        median = statistics.median_low(means) if means else -math.inf
        for run in training:
            if not (math.isfinite(column[run]) and min(seen[run]) <= median):
                left[run] = count
    return [left.get(run) for run in range(len(seen))]


@few
@given(st.lists(st.lists(COST, min_size=4, max_size=4), min_size=1, max_size=8))
def test_what_was_never_better_than_the_median_goes(costs: list[list[float]]) -> None:
    columns = list(zip(*costs, strict=True))
    assert departures(Median([1], torch.zeros(len(costs))), columns) == median_rule(columns)


def test_the_median_is_of_all_runs_so_that_not_half_of_the_rest_goes_at_each_rung() -> None:
    columns = [(8.0, 7.0, 6.0, 5.0), (7.0, 6.0, 5.0, 4.0), (6.0, 5.0, 4.0, 3.0)]
    assert departures(Median([1], torch.zeros(4)), columns) == [0, 0, None, None]


def test_what_does_not_train_says_nothing_about_the_median() -> None:
    assert gone(Median([1], torch.zeros(3)), [(1.0, True), (2.0, True), (100.0, False)]) == {1}


@few
@given(RUNS, st.sampled_from([lambda like: Halving([1], 3), lambda like: Median([1], like)]))
def test_a_run_without_a_finite_cost_keeps_no_other(runs: Runs, make: Callable[[Tensor], Pruner]) -> None:
    """What stays is the same without those."""
    known, training = judged(runs)
    like = torch.zeros(len(runs))
    clean = [(cost, trains and run in known) for run, (cost, trains) in enumerate(runs)]
    assert gone(make(like), runs) == gone(make(like), clean) | (training - set(known))


def departures(pruner: Pruner, columns: list[tuple[float, ...]]) -> list[int | None]:
    """The judgement at which each run goes: what is gone isn't measured any more."""
    training = torch.ones(len(columns[0]), dtype=torch.bool)
    left: dict[int, int] = {}
    for count, column in enumerate(columns):
        leaving = pruner.leaving(torch.tensor(column).masked_fill(~training, math.nan), training)
        left |= dict.fromkeys(leaving.nonzero()[:, 0].tolist(), count)
        training &= ~leaving
    return [left.get(run) for run in range(len(columns[0]))]


def waited_out(costs: list[float], patience: int) -> int | None:
    """The judgement at which a run with these costs goes."""
    least, waited = math.inf, 0
    for count, cost in enumerate(costs):
        least, waited = (cost, 0) if cost < least else (least, waited + 1)
        if waited == patience:
            return count
    return None


@few
@given(st.lists(st.lists(COST, min_size=6, max_size=6), min_size=1, max_size=5), st.integers(1, 4))
def test_patience_is_a_matter_of_each_run_alone(costs: list[list[float]], patience: int) -> None:
    pruner = Patience([1], patience, torch.zeros(len(costs)))
    found = departures(pruner, list(zip(*costs, strict=True)))
    assert found == [waited_out(each, patience) for each in costs]


def test_what_rounding_may_gain_is_no_improvement() -> None:
    pruner = Patience([1], 1, torch.zeros(3))
    training = torch.ones(3, dtype=torch.bool)
    assert not pruner.leaving(torch.tensor([1.0, -1.0, 0.0]), training).any()
    assert pruner.leaving(torch.tensor([1 - 5e-7, -1 - 5e-7, 0.0]), training).all()
    assert not pruner.leaving(torch.tensor([1 - 5e-6, -1 - 5e-6, -1e-9]), training).any()


@pytest.mark.parametrize("make", [lambda like: Patience([1], 3, like), lambda like: Median([1], like)])
def test_a_pruner_goes_on_from_its_memory(make: Callable[[Tensor], Pruner]) -> None:
    costs = torch.tensor([[1.0, 5.0], [1.0, 5.0], [9.0, 4.0], [9.0, 4.0]])
    both = torch.ones(2, dtype=torch.bool)
    whole, other = make(torch.zeros(2)), make(torch.zeros(2))
    for row in costs[:2]:
        whole.leaving(row, both)
    other.restore({name: each.clone() for name, each in whole.memory.items()})
    told = [[pruner.leaving(row, both).tolist() for row in costs[2:]] for pruner in (whole, other)]
    assert told[0] == told[1] and any(map(any, told[0]))


@few
@given(st.integers(1, 50), st.integers(1, 5000), st.integers(2, 5))
def test_a_rung_is_so_many_times_the_one_before_and_none_is_at_the_end(
    first: int, last: int, factor: int
) -> None:
    rungs = geometric(first, last, factor)
    assert rungs == [first * factor**k for k in range(len(rungs))]
    assert all(rung < last for rung in rungs) and first * factor ** len(rungs) >= last


@few
@given(st.integers(1, 10**6), st.integers(1, 2000), st.integers(2, 5))
def test_rungs_by_default_are_three_or_as_many_as_leave_one_run(last: int, runs: int, factor: int) -> None:
    rungs = geometric(first_rung(last, runs, factor), last, factor)
    assert len(rungs) <= 3
    assert len(rungs) <= 1 or factor ** len(rungs) <= runs
    if last >= factor**4:  # each rung then has a step of its own
        assert len(rungs) == min(3, max(1, int(math.log(runs, factor) + 1e-9)))
        assert last / factor <= rungs[-1] < last / factor + factor**2


def rungs_of(*overrides: str, steps: int = 2000, runs: int = 243) -> list[int]:
    config = pack_of("experiment=gaussians", *overrides).config
    return list(make_pruner(config, torch.full((runs,), steps)).rungs)


def test_the_rungs_that_a_config_asks_for() -> None:
    halving = "search.pruner=halving"
    assert rungs_of(halving) == [75, 225, 675]
    assert rungs_of(halving, runs=9) == [223, 669]
    assert rungs_of(halving, "search.min_steps=300", "search.reduction_factor=2") == [300, 600, 1200]
    for pruner in ("search.pruner=median", "search.pruner=patience"):
        assert rungs_of(pruner, steps=1000) == [200, 400, 600, 800]
        assert rungs_of(pruner, "search.min_steps=401", steps=1000) == [600, 800]
        assert rungs_of(pruner, steps=200) == []


def test_the_next_rung_and_its_number() -> None:
    pruner = Halving([25, 75], 3)
    assert [pruner.next(step) for step in (0, 24, 25, 74, 75, 100)] == [25, 25, 75, 75, NEVER, NEVER]
    assert [pruner.rung(step) for step in (24, 25, 75)] == [0, 1, 2]


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_has_a_builder_and_a_reason(name: str) -> None:
    config = pack_of("experiment=gaussians", f"search.pruner={name}").config
    steps: Tensor = torch.full((9,), 1000)
    assert type(make_pruner(config, steps)).__name__.lower() == name
    assert WHY[name]
