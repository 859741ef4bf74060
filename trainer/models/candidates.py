"""Where parameters may start, by their units: points of a Latin hypercube, scaled by the data."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.random import latin_hypercube

NEAR = 0.05  # difference of exponents that makes no other unit
SPREAD = 50.0  # the ratio of the greatest to the least from which on positive numbers are spread by decades
# Powers of ten between which a parameter lies, in units of an input's range, an output's range, or in none.
OF_INPUT, OF_OUTPUT, OF_NONE = (-1.7, 0.3), (-1.0, 0.5), (-0.7, 0.9)
INSIDE, NEGATIVE = 0.5, 0.9  # below it a parameter lies among the data's own values; above it, below 0


@dataclass(frozen=True)
class Extent:
    """The least and the greatest values [R, V + T] of the inputs and outputs of R runs, in float64."""

    low: Tensor
    high: Tensor

    @property
    def size(self) -> Tensor:
        """How far they reach; of constants their size, or 1."""
        reach = self.high - self.low
        sizes = torch.maximum(self.low.abs(), self.high.abs())
        return reach.where(reach > 0, sizes.where(sizes > 0, 1.0))


def candidates(units: Tensor, inputs: int, extent: Extent, points: Tensor) -> Tensor:
    """Starting points [R, C, P] of parameters whose `units` [P, V + T] have these exponents; V is `inputs`.

    `points` [R, C, 2 P], in [0, 1), say where each lies.

    >>> import torch
    >>> from packtrain.trainer.models.candidates import Extent, candidates
    >>> extent = Extent(torch.zeros(1, 2), torch.full((1, 2), 10.0))
    >>> points = torch.tensor([[[0.7, 0.0], [0.7, 0.85]]])
    >>> rates = candidates(torch.tensor([[-1.0, 0.0]]), 1, extent, points)
    >>> [round(rate, 3) for rate in rates.flatten().tolist()]
    [0.05, 2.512]
    """
    how, where = points.double().unflatten(2, (-1, 2)).unbind(3)
    values = [
        _of_unit(unit, inputs, extent, how[..., k], where[..., k]) for k, unit in enumerate(units.double())
    ]
    return torch.stack(values, 2)


def _of_unit(unit: Tensor, inputs: int, extent: Extent, how: Tensor, where: Tensor) -> Tensor:
    """The values [R, C] of one parameter."""
    low, high = OF_NONE
    if (used := unit.abs() > NEAR).any():
        ranges = torch.tensor([OF_INPUT] * inputs + [OF_OUTPUT] * (len(unit) - inputs)).double()
        ends = (unit[:, None] * ranges)[used]
        low, high = ends.amin(1).sum().item(), ends.amax(1).sum().item()
    scale = (unit.where(used, 0.0) * extent.size.log10()).sum(1)
    sign = torch.where(how < NEGATIVE, 1.0, -1.0).double()
    values = sign * 10 ** (scale[:, None] + low + where * (high - low))
    same = (unit.sub(torch.eye(len(unit)).double()).abs() < NEAR).all(1).nonzero()
    return torch.where(how < INSIDE, _inside(extent, int(same[0]), where), values) if len(same) else values


def _inside(extent: Extent, column: int, where: Tensor) -> Tensor:
    """Values [R, C] between the least and the greatest of a column; over many decades by their logarithms."""
    low, high = extent.low[:, column, None], extent.high[:, column, None]
    plain = low + where * (high - low)
    return torch.where(
        (low > 0) & (high > SPREAD * low), low.abs() ** (1 - where) * high.abs() ** where, plain
    )


def hypercubes(seeds: Tensor, starts: Tensor, most_starts: int, count: int, dimensions: int) -> Tensor:
    """`count` points of a Latin hypercube [R, count, K] for each run's seed and start, [R] each.

    >>> import torch
    >>> from packtrain.trainer.models.candidates import hypercubes
    >>> points = hypercubes(torch.tensor([7, 7]), torch.tensor([0, 1]), 2, 4, 1)
    >>> sorted((points.flatten() * 8).int().tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    different, which = seeds.unique(return_inverse=True)
    points = torch.stack([latin_hypercube(seed, most_starts * count, dimensions) for seed in different])
    by_start = points.unflatten(1, (count, most_starts)).transpose(1, 2)
    return by_start[which, starts]
