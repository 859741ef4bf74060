"""What fits are fitted to, in numbers: how many samples count, how large they are and how far apart."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...kernels.least_squares import Problem
from ...kernels.sums import sum_in_order

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Samples:
    """What is fitted to: n residuals whose weight isn't 0, |sqrt(w) t|, and its square about the mean.

    Each of these is a number, or [R] where the fits have samples of their own. `offset` tells of an input
    that lies far from 0, and how to write the equations then. `robust`: by a loss other than squares.
    `scaled`: the targets were standardized.
    """

    n: Any
    size: Any
    spread: Any
    standardized: bool
    offset: str = ""
    robust: bool = False
    scaled: bool = False

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


class _Moments(NamedTuple):
    """Of the samples of some fits: residuals that count, and the squares of targets about their mean."""

    n: Tensor
    spread: Tensor


def _moments(problem: Problem) -> _Moments:
    targets = problem.targets.double().mT  # [..., T, N]
    ones = torch.ones_like(targets[..., 0, :])
    weights = ones if problem.weights is None else problem.weights.double().expand_as(ones)
    weights = weights[..., None, :]
    mean = _sum(weights * targets) / _sum(weights)
    squares = (weights * (targets - mean[..., None]).square()).flatten(-2)
    return _Moments(targets.shape[-2] * (weights > 0).sum((-2, -1)), _sum(squares))


def _sum(terms: Tensor) -> Tensor:
    """The sums of the last axis, with the same bits in any pack."""
    return sum_in_order(terms.reshape(-1, terms.shape[-1])).view(terms.shape[:-1])


def samples_of(
    problem: Problem, standardized: bool = False, offset: str = "", scaled: bool = False
) -> Samples:
    """The samples of a problem's fits; the other arguments are fields of Samples.

    >>> one = torch.ones(3, 1, dtype=torch.float64)
    >>> samples_of(Problem(one, one)).n
    array(3)
    """
    size = replace(problem, loss=None).size.double().cpu().numpy()
    n, spread = (part.cpu().numpy() for part in problem.each(_moments))
    spread = np.where(spread > EPS * size**2, spread, 0.0)
    return Samples(n, size, spread, standardized, offset, problem.loss is not None, scaled)
