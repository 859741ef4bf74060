"""How close joint fits are to the samples of all of their groups."""

import math
from typing import NamedTuple

import numpy as np

from .rows import Row


class Joint(NamedTuple):
    """The joint fit that each run belongs to, from 0, and the rank of what is shared in it: [R]."""

    number: np.ndarray
    shared_rank: np.ndarray

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sums [R] over the runs of each joint fit, in their order; what isn't finite is left out.

        >>> Joint(np.array([0, 1, 0]), np.ones(3)).total(np.array([1.0, 2.0, 3.0]))
        array([4., 2., 4.])
        """
        return np.bincount(self.number, np.where(np.isfinite(values), values, 0))[self.number]


def pooled(joint: Joint, rss: np.ndarray, rank: np.ndarray, n: np.ndarray) -> Row:
    """The columns of a fit's quality that are those of its joint fit: s^2 is the sum of all RSS over n - k.

    `rss` and `rank` [R] are of each group with what it shares, `n` its residuals; those of a group whose
    `rss` isn't finite don't count. k are the local directions of all groups, and the shared ones, once. AIC
    and BIC would be those of separate fits, and are null.

    >>> joint = Joint(np.array([0, 0]), np.array([1, 1]))
    >>> quality = pooled(joint, np.array([3.0, 5.0]), np.array([2, 2]), np.array([5, 6]))  # k = 1 + 1 + 1
    >>> quality["degrees_of_freedom"].tolist(), quality["residual_std"].tolist()
    ([8, 8], [1.0, 1.0])
    """
    used = np.isfinite(rss)
    left = joint.total(np.where(used, n - rank + joint.shared_rank, 0)).astype(np.int64) - joint.shared_rank
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.sqrt(joint.total(rss) / left)
    nothing = np.full(rss.shape, math.nan)
    return {
        "residual_std": np.where(used & (left > 0), deviation, math.nan),
        "degrees_of_freedom": np.ma.array(left, mask=~used),
        "aic": nothing,
        "bic": nothing,
    }
