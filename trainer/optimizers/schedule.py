"""Learning-rate schedules: the factor by which lr is multiplied, as a function of the step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .base import Hyper

LAST_POWER = 17  # of the series of the sine: below pi / 4 the next terms are lost in rounding

Schedule = Callable[[Tensor], Tensor]  # step [S] -> factor [S, R]


def constant(hyper: Hyper, steps: Tensor) -> Schedule:
    """1."""
    return lambda step: torch.ones_like(step[:, None] * steps, dtype=torch.float64)


def linear_warmup(hyper: Hyper, steps: Tensor) -> Schedule:
    """From start_factor to 1 in warmup_steps, then 1, as torch's LinearLR."""
    start, warmup = hyper("start_factor"), hyper("warmup_steps")

    def factor(step: Tensor) -> Tensor:
        done = torch.minimum(step[:, None].double(), warmup) / warmup.clamp(min=1)
        return torch.where(warmup > 0, start + (1 - start) * done, 1.0)

    return factor


def cosine(hyper: Hyper, steps: Tensor) -> Schedule:
    """After the warm-up, final + (1 - final)(1 + cos(pi t / T)) / 2 over the T steps that are left.

    As torch's CosineAnnealingLR with eta_min = final_factor * lr, behind a LinearLR of warmup_steps.
    """
    final, warmup = hyper("final_factor"), hyper("warmup_steps")
    warm = linear_warmup(hyper, steps)

    def factor(step: Tensor) -> Tensor:
        done = ((step[:, None] - warmup) / (steps - warmup).clamp(min=1)).clamp(0, 1)
        falling = final + (1 - final) * half_cosine(done)
        return torch.where(step[:, None] < warmup, warm(step), falling)

    return factor


def half_cosine(done: Tensor) -> Tensor:
    """(1 + cos(pi t)) / 2 for t in [0, 1]: sin^2 of pi (1 - t) / 2, or 1 - sin^2 of pi t / 2, by a series.

    By sums and products alone, which round alike wherever a number stands; torch.cos does not.
    """
    x = torch.minimum(done, 1 - done) * (math.pi / 2)
    square, series = x * x, torch.ones_like(x)
    for power in range(LAST_POWER, 1, -2):
        series = 1 - series * square / (power * (power - 1))
    sine = (x * series).square()
    return torch.where(done < 0.5, 1 - sine, sine)
