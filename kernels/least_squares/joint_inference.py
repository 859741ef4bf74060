"""What joint fits say of their parameters: for each group, of its own and of the shared ones."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..common.threads import share
from .inference import LEAST, infer
from .joint_fits import JointFits
from .numba_joint import solve_shared
from .numba_joint_inference import reduce
from .problem import Linear


class JointEnd(NamedTuple):
    """The Linear problems of A groups, local parameters first, and the rank [A] of the shared ones."""

    linear: Linear
    shared_rank: Tensor


def joint_end(fits: JointFits) -> JointEnd:
    """The linear problem of each group's parameters, the local ones of all other groups eliminated.

    Its A, [L + S, P], has the rows of the group's own local parameters, and under them the triangle that the
    shared ones of the joint fit come to. So (A^T A)^+ is the group's block of the covariance of all
    parameters, and its null space are the directions that no group's data determine. Columns that are
    negligible, or whose parameters aren't free inside their bounds, are zeros.
    """
    local, usable = fits.step.shape[1], _usable(fits)
    root = fits.root.copy()
    root[:, :-1][~usable] = 0.0
    groups, columns, size = root.shape
    rows, triangles = np.zeros((groups, columns, local)), np.zeros_like(fits.triangles)
    arguments = fits.layout.bounds, fits.code.addresses, root, usable, LEAST, rows, triangles
    share(len(triangles), lambda start, stop: reduce(start, stop, *arguments))
    corner = _corner(fits, triangles)
    whole = np.zeros((groups, columns, size))
    whole[:, :, :local] = rows
    whole[:, local:, local:] = corner[fits.layout.owner.numpy()]
    shared = torch.from_numpy(corner[:, :-1]).mT
    rank = infer(shared, torch.ones_like(shared[:, 0], dtype=torch.bool)).rank
    at_end = torch.from_numpy(whole)
    linear = Linear(torch.from_numpy(fits.own), at_end[:, :-1].mT, at_end[:, -1])
    return JointEnd(linear, rank[fits.layout.owner])


def _usable(fits: JointFits) -> np.ndarray:
    """The parameters that are free, inside their bounds, and whose columns aren't negligible: [A, P]."""
    fits.measure()
    inside = fits.limits.free & (fits.limits.lower < fits.p) & (fits.p < fits.limits.upper)
    shared = fits.shared.significant[fits.layout.owner].numpy()
    return inside & np.concatenate([fits.local.significant.numpy(), shared], 1)


def _corner(fits: JointFits, triangles: np.ndarray) -> np.ndarray:
    """The triangle of the shared parameters and c, [K, S + 1, S], of those of blocks."""
    corner, step = fits.corner.numpy().copy(), fits.shared_step.numpy().copy()
    free, nothing, everyone = np.ones(step.shape, dtype=bool), np.zeros_like(step), np.arange(len(step))
    given = everyone, fits.layout.first, fits.code.addresses, triangles, free, nothing, step, corner
    solve_shared(0, len(step), *given)
    return corner
