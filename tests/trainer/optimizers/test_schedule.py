"""Schedules against torch.optim.lr_scheduler, run by run."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from packtrain.trainer.optimizers import SCHEDULES
from packtrain.trainer.optimizers.schedule import half_cosine
from tests.helpers import assert_close
from tests.strategies import few
from tests.trainer.optimizers.descent import hyper, learning_rates

RUN = st.fixed_dictionaries(
    {
        "lr": st.floats(1e-4, 1.0),
        "steps": st.integers(1, 40),
        "warmup_steps": st.integers(0, 50),
        "start_factor": st.floats(0.01, 1.0),
        "final_factor": st.floats(0.0, 1.5),
    }
)
RUNS = st.lists(RUN, min_size=1, max_size=4)


def warm(optimizer: torch.optim.Optimizer, run: Mapping[str, Any]) -> LRScheduler:
    return LinearLR(optimizer, run["start_factor"], total_iters=run["warmup_steps"])


def falling(optimizer: torch.optim.Optimizer, run: Mapping[str, Any]) -> LRScheduler:
    left = max(1, run["steps"] - run["warmup_steps"])
    return CosineAnnealingLR(optimizer, left, eta_min=run["final_factor"] * run["lr"])


def torch_rates(kind: str, run: Mapping[str, Any]) -> torch.Tensor:
    """The rates of one run's own steps, by torch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], run["lr"])
    warms = kind != "constant" and run["warmup_steps"] > 0
    parts = [warm(optimizer, run)] if warms else []
    parts += [falling(optimizer, run)] if kind == "cosine" else []
    scheduler = SequentialLR(optimizer, parts, [run["warmup_steps"]]) if len(parts) == 2 else None
    rates = []
    for _ in range(run["steps"]):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for each in [scheduler] if scheduler else parts:
            each.step()
    return torch.tensor(rates, dtype=torch.float64)


@pytest.mark.parametrize("kind", SCHEDULES)
@few
@given(runs=RUNS)
def test_every_run_agrees_with_torch(kind: str, runs: list[dict[str, Any]]) -> None:
    steps = torch.tensor([run["steps"] for run in runs])
    found = learning_rates(kind, runs, steps)
    for index, run in enumerate(runs):
        assert_close(found[: run["steps"], index], torch_rates(kind, run))


@pytest.mark.parametrize("kind", SCHEDULES)
@few
@given(runs=RUNS, start=st.integers(0, 30))
def test_a_slice_is_the_slice_of_the_whole(kind: str, runs: list[dict[str, Any]], start: int) -> None:
    steps = torch.tensor([run["steps"] for run in runs])
    schedule = SCHEDULES[kind](hyper(runs), steps)
    assert torch.equal(schedule(torch.arange(start, 50)), schedule(torch.arange(50))[start:])


@few
@given(runs=RUNS)
def test_a_cosine_that_has_ended_stays_at_its_end(runs: list[dict[str, Any]]) -> None:
    steps = torch.tensor([run["steps"] for run in runs])
    factor = SCHEDULES["cosine"](hyper(runs), steps)(torch.arange(200))
    assert_close(factor[100:], hyper(runs)("final_factor").expand(100, -1))


def test_warm_up_begins_at_its_factor_and_ends_at_1() -> None:
    run = {"warmup_steps": 4, "start_factor": 0.2}
    factor = SCHEDULES["linear_warmup"](hyper([run]), torch.tensor([9]))(torch.arange(6))
    assert_close(factor[:, 0], torch.tensor([0.2, 0.4, 0.6, 0.8, 1, 1], dtype=torch.float64))


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 9))
def test_the_cosine_rounds_alike_wherever_a_number_stands(done: list[float], before: int) -> None:
    numbers = torch.tensor(done, dtype=torch.float64)
    shifted = half_cosine(torch.cat([torch.full((before,), 0.3, dtype=torch.float64), numbers]))
    assert half_cosine(numbers).equal(shifted[before:])
    exact = [(1 + math.cos(math.pi * each)) / 2 for each in done]
    assert_close(half_cosine(numbers), torch.tensor(exact, dtype=torch.float64))
