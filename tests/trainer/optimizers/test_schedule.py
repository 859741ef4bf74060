"""Schedules against torch.optim.lr_scheduler, run by run."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LinearLR, LRScheduler, OneCycleLR, SequentialLR

from packtrain.kernels.equations.schedules import SCHEDULES, schedule_of
from packtrain.kernels.update.reference import factors
from tests.helpers import assert_close
from tests.strategies import few
from tests.trainer.optimizers.descent import learning_rates, numbers

RUN = st.fixed_dictionaries(
    {
        "lr": st.floats(1e-4, 1.0),
        "steps": st.integers(2, 40),
        "warmup_steps": st.integers(0, 50),
        "start_factor": st.floats(0.01, 1.0),
        "final_factor": st.floats(0.0, 1.5),
        "gamma": st.floats(0.5, 1.1),
        "step_size": st.integers(1, 9),
        "warmup_fraction": st.floats(0.05, 0.95),
    }
)
RUNS = st.lists(RUN, min_size=1, max_size=4)
Run = Mapping[str, Any]


def after_warm_up(kind: str, optimizer: torch.optim.Optimizer, run: Run) -> LRScheduler | None:
    """torch's schedule after the warm-up."""
    if kind == "cosine":
        left = max(1, run["steps"] - run["warmup_steps"])
        return lr_scheduler.CosineAnnealingLR(optimizer, left, eta_min=run["final_factor"] * run["lr"])
    if kind == "step":
        return lr_scheduler.StepLR(optimizer, run["step_size"], run["gamma"])
    return lr_scheduler.ExponentialLR(optimizer, run["gamma"]) if kind == "exponential" else None


def one_cycle(optimizer: torch.optim.Optimizer, run: Run) -> LRScheduler:
    """torch counts the last factor in the first rate."""
    divisors = 1 / run["start_factor"], run["start_factor"] / max(run["final_factor"], 1e-30)
    return OneCycleLR(
        optimizer, run["lr"], run["steps"], None, None, run["warmup_fraction"], "cos", False,
        div_factor=divisors[0], final_div_factor=divisors[1],
    )  # fmt: skip


def torch_rates(kind: str, run: Run) -> torch.Tensor:
    """The rates of one run's own steps, by torch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], run["lr"])
    if kind == "one_cycle":
        parts = [one_cycle(optimizer, run)]
    else:
        warms = kind != "constant" and run["warmup_steps"] > 0
        warm = LinearLR(optimizer, run["start_factor"], total_iters=run["warmup_steps"]) if warms else None
        parts = [part for part in (warm, after_warm_up(kind, optimizer, run)) if part is not None]
    scheduler = SequentialLR(optimizer, parts, [run["warmup_steps"]]) if len(parts) == 2 else None
    rates = []
    for step in range(run["steps"]):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for each in [scheduler] if scheduler else parts:
            if step < run["steps"] - 1:
                each.step()
    return torch.tensor(rates, dtype=torch.float64)


@pytest.mark.parametrize("kind", SCHEDULES)
@settings(few, max_examples=20)
@given(runs=RUNS)
def test_every_run_agrees_with_torch(kind: str, runs: list[Run]) -> None:
    steps = torch.tensor([run["steps"] for run in runs])
    found = learning_rates(kind, runs, steps)
    for index, run in enumerate(runs):
        if kind != "one_cycle" or run["warmup_fraction"] * run["steps"] > 1 + 1e-9:  # torch divides by 0
            assert_close(found[: run["steps"], index], torch_rates(kind, run))


@pytest.mark.parametrize("kind", SCHEDULES)
@settings(few, max_examples=20)
@given(runs=RUNS, start=st.integers(0, 30))
def test_where_a_number_stands_changes_no_bit(kind: str, runs: list[Run], start: int) -> None:
    formula, step = schedule_of(kind), torch.arange(50)
    steps = torch.tensor([run["steps"] for run in runs])
    whole = factors(formula, numbers(runs, formula.constants), step, steps)
    assert factors(formula, numbers(runs, formula.constants), step[start:], steps).equal(whole[start:])
    for index, run in enumerate(runs):
        alone = factors(formula, numbers([run], formula.constants), step, steps[index : index + 1])
        assert alone[:, 0].equal(whole[:, index])


@pytest.mark.parametrize("kind", ["cosine", "one_cycle"])
@settings(few, max_examples=20)
@given(runs=RUNS)
def test_what_has_ended_stays_at_its_end(kind: str, runs: list[Run]) -> None:
    formula, steps = schedule_of(kind), torch.tensor([run["steps"] for run in runs])
    factor = factors(formula, numbers(runs, formula.constants), torch.arange(200), steps)
    assert_close(factor[100:], numbers(runs)["final_factor"].expand(100, -1))


def test_warm_up_begins_at_its_factor_and_ends_at_1() -> None:
    run = {"warmup_steps": 4, "start_factor": 0.2}
    factor = factors(schedule_of("linear_warmup"), numbers([run]), torch.arange(6), torch.tensor([9]))
    assert_close(factor[:, 0], torch.tensor([0.2, 0.4, 0.6, 0.8, 1, 1], dtype=torch.float64))


def test_a_cosine_is_exact_at_its_ends() -> None:
    factor = factors(schedule_of("cosine"), numbers([{}]), torch.arange(9), torch.tensor([8]))[:, 0]
    assert factor[[0, 8]].tolist() == [1.0, 0.0]
    exact = [(1 + math.cos(math.pi * step / 8)) / 2 for step in range(9)]
    torch.testing.assert_close(factor, torch.tensor(exact, dtype=torch.float64), rtol=1e-15, atol=1e-16)
