"""Learning-rate schedules: the factor by which lr is multiplied, as a function of the step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .base import Hyper

LAST_POWER = 17  # of the series of the sine: for x below pi / 4 the next terms are lost in rounding

Schedule = Callable[[Tensor], Tensor]  # step [S] -> factor [S, R]


def constant(hyper: Hyper, steps: Tensor) -> Schedule:
    """1 at every step.

    >>> import torch
    >>> from packtrain.trainer.optimizers.schedule import constant
    >>> constant(lambda name: torch.tensor([]), torch.tensor([100]))(torch.tensor([0, 99])).tolist()
    [[1.0], [1.0]]
    """
    return lambda step: torch.ones_like(step[:, None] * steps, dtype=torch.float64)


def linear_warmup(hyper: Hyper, steps: Tensor) -> Schedule:
    """From start_factor to 1 in warmup_steps, then 1, as torch's LinearLR.

    >>> import torch
    >>> from packtrain.trainer.optimizers.schedule import linear_warmup
    >>> values = {"start_factor": torch.tensor([0.5]), "warmup_steps": torch.tensor([4.0])}
    >>> linear_warmup(values.__getitem__, torch.tensor([100]))(torch.tensor([0, 2, 4, 9])).flatten().tolist()
    [0.5, 0.75, 1.0, 1.0]
    """
    start, warmup = hyper("start_factor"), hyper("warmup_steps")

    def factor(step: Tensor) -> Tensor:
        done = torch.minimum(step[:, None].double(), warmup) / warmup.clamp(min=1)
        return torch.where(warmup > 0, start + (1 - start) * done, 1.0)

    return factor


def cosine(hyper: Hyper, steps: Tensor) -> Schedule:
    """After the warm-up, final + (1 - final)(1 + cos(pi t / T)) / 2 over the T steps that are left.

    As torch's CosineAnnealingLR with eta_min = final_factor * lr, after a LinearLR of warmup_steps.

    >>> import torch
    >>> from packtrain.trainer.optimizers.schedule import cosine
    >>> values = {"start_factor": 1.0, "warmup_steps": 0.0, "final_factor": 0.0}
    >>> factor = cosine(lambda name: torch.tensor([values[name]]).double(), torch.tensor([100]))
    >>> [round(value, 6) for value in factor(torch.tensor([0, 50, 100])).flatten().tolist()]
    [1.0, 0.5, 0.0]
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

    Sums and products alone round alike wherever a number stands in a tensor; torch.cos does not.

    >>> import torch
    >>> from packtrain.trainer.optimizers.schedule import half_cosine
    >>> half_cosine(torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)).tolist()
    [1.0, 0.8535533905932737, 0.0]
    """
    x = torch.minimum(done, 1 - done) * (math.pi / 2)
    square, series = x * x, torch.ones_like(x)
    for power in range(LAST_POWER, 1, -2):
        series = 1 - series * square / (power * (power - 1))
    sine = (x * series).square()
    return torch.where(done < 0.5, 1 - sine, sine)
