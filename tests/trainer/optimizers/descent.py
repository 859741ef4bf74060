"""Descents as the step engine makes them, and as torch.optim does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from packtrain.kernels.equations.rule import Rule
from packtrain.kernels.equations.schedules import schedule_of
from packtrain.kernels.update.reference import factors
from packtrain.trainer.optimizers import Optimizer

STEPS = 30
DEFAULTS = {
    "lr": 0.01,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": 0.0,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "alpha": 0.99,
    "lr_decay": 0.0,
    "momentum_decay": 0.004,
    "warmup_steps": 0,
    "start_factor": 0.01,
    "final_factor": 0.0,
    "gamma": 0.1,
    "step_size": 3,
    "warmup_fraction": 0.3,
}
Settings = Sequence[Mapping[str, Any]]


def numbers(runs: Settings, names: Sequence[str] = tuple(DEFAULTS)) -> dict[str, Tensor]:
    """The numbers of each run, as the engine reads them."""
    return {
        name: torch.tensor([{**DEFAULTS, **run}[name] for run in runs], dtype=torch.float64) for name in names
    }


class Problem:
    """R bowls with a wave in them: the loss of run r is sum(a_r (p - c_r)^2 + cos(p))."""

    def __init__(self, runs: int, seed: int, dtype: torch.dtype = torch.float64) -> None:
        drawn = torch.randn(3, runs, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype)
        self.start, self.centre, self.steepness = drawn[0], drawn[1], drawn[2].square() + 0.1

    def take(self, place: int, other: "Problem") -> None:
        """Makes the problem of run `place` that of `other`'s one run."""
        for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True):
            mine[place] = theirs[0]

    def gradient(self, parameters: Tensor) -> Tensor:
        return 2 * self.steepness * (parameters - self.centre) - parameters.sin()

    def optimizer(self, rule: Rule, runs: Settings) -> Optimizer:
        return Optimizer(rule, numbers(runs), self.start)


def learning_rates(schedule: str, runs: Settings, steps: Tensor) -> Tensor:
    """lr [S, R] of the steps up to the last of any run."""
    every, formula = torch.arange(int(steps.max())), schedule_of(schedule)
    return numbers(runs)["lr"] * factors(formula, numbers(runs, formula.constants), every, steps)


def descend(rule: Rule, runs: Settings, problem: Problem, schedule: str = "constant") -> Tensor:
    """The parameters [R, P] after STEPS steps of all runs at once."""
    lr = learning_rates(schedule, runs, torch.full((len(runs),), STEPS))
    optimizer = problem.optimizer(rule, runs)
    table = optimizer.table(lr, torch.arange(STEPS)).to(problem.start.dtype)[..., None]
    parameters, state = problem.start, optimizer.start(problem.start)
    for now in table:
        parameters, state = optimizer.update(parameters, problem.gradient(parameters), state, now)
    return parameters


def torch_descend(
    make: Callable[[Tensor], torch.optim.Optimizer],
    problem: Problem,
    run: int,
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
) -> Tensor:
    """The parameters [P] of one run after STEPS steps of torch's optimizer, with torch's schedule."""
    parameters = problem.start[run].clone().requires_grad_()
    optimizer = make(parameters)
    scheduler = schedule and schedule(optimizer)
    for _ in range(STEPS):
        whole = problem.start.clone()
        whole[run] = parameters.detach()
        parameters.grad = problem.gradient(whole)[run]
        optimizer.step()
        if scheduler:
            scheduler.step()
    return parameters.detach()
