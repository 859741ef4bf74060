"""What fits are fitted to, in numbers: how many samples count, how large they are and how far apart."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...kernels.least_squares import Problem
from ...kernels.least_squares.inference import sum_of_rows
from ...kernels.sums import sum_in_order
from ..data.dataset import Dataset
from .faults import far_from_0

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Samples:
    """What is fitted to: n residuals whose weight isn't 0, |sqrt(w) t|, and its square about the mean.

    Each of these is [R], or [1] of samples that all fits share. `offset` tells of a run's input that lies
    far from 0, and how to write the equations then. `robust`: by a loss other than squares. `scaled`: the
    targets were standardized. `absolute`: their errors are known.
    """

    n: np.ndarray
    size: np.ndarray
    spread: np.ndarray
    standardized: bool
    offset: Callable[[int], str]
    robust: bool = False
    scaled: bool = False
    absolute: bool = False

    @property
    def notes(self) -> list[str]:
        """What is to be said of every fit."""
        said = {
            "the parameters are those of the standardized inputs (data.standardize)": self.standardized,
            "standard errors are those of scipy's curve_fit with a loss; R^2, AIC and BIC are of squares": (
                self.robust
            ),
            "sums of squares are of the standardized targets (data.standardize)": self.scaled,
        }
        return [sentence for sentence, holds in said.items() if holds]


def samples_of(problem: Problem, data: Dataset) -> Samples:
    """The samples that the fits of a problem have, which was made of `data`.

    >>> one = torch.ones(3, 1, dtype=torch.float64)
    >>> samples_of(Problem(one, one), Dataset(one, one, ("x",), ("xy",))).n
    array([3])
    """
    n, size, spread = problem.each(measures).cpu().numpy().T
    standardized, scaled = data.mean is not None, data.target_mean is not None

    def offset(run: int) -> str:
        return "" if standardized else far_from_0(data.of_run(run))

    flags = problem.loss is not None, scaled, data.absolute
    return Samples(n.astype(np.int64), size, spread, standardized, offset, *flags)


def measures(problem: Problem) -> Tensor:
    """n, |sqrt(w) t| and its square about the mean, [R, 3]; [1, 3] of samples that the fits share.

    >>> one = torch.ones(3, 1, dtype=torch.float64)
    >>> measures(Problem(one, 2 * one))[:, 0]
    tensor([3.], dtype=torch.float64)
    """
    targets = problem.targets.double()
    targets = targets if targets.dim() == 3 else targets[None]
    weights = torch.ones_like(targets[..., 0])
    if problem.weights is not None:
        weights = problem.weights.expand_as(weights)
    weighted = weights[..., None] * targets
    mean = sum_of_rows(weighted) / sum_in_order(weights)[:, None]
    spread = sum_of_rows(weights[..., None] * (targets - mean[:, None]).square()).sum(1)
    size = sum_in_order((weighted * targets).flatten(1)).sqrt()
    n = (weights > 0).sum(1) * targets.shape[2]
    return torch.stack([n.double(), size, spread.where(spread > EPS * size**2, 0)], 1)
