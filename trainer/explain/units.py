"""Units of an MLP that learn nothing: those that are flat at every sample, or at nearly all."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..models.mlp import MLPModel
from ..models.predict import block_of
from .forward import forward, slopes_of

FLAT = 0.01  # |f'(h)|, below which a unit is flat
SATURATED = 0.95  # of the samples, at which a saturated unit is flat


@dataclass(frozen=True)
class Units:
    """The units of a hidden layer over all samples.

    The `dead` have the slope f'(h) = 0 at every sample, and never learn; the `saturated` are nearly flat
    (|f'(h)| < FLAT) at SATURATED of the samples or more. `off` is how often the slope is 0, of all units and
    samples, and `slope` the mean of |f'(h)|.
    """

    layer: int
    units: int
    dead: tuple[int, ...]
    saturated: tuple[int, ...]
    off: float
    slope: float


@torch.no_grad()
def units(model: MLPModel, data: Dataset) -> tuple[Units, ...]:
    """Those of each hidden layer of a model with R = 1.

    >>> from packtrain.trainer.explain.units import units
    >>> model = MLPModel(torch.tensor([[1.0, -1.0, 2.0, 3.0]]), [1, 2, 1], bias=False, loss="mse")
    >>> data = Dataset(torch.tensor([[5.0], [6.0]]), torch.ones(2, 1), ("x",), ("y",))
    >>> units(model, data)[0].dead
    (1,)
    """
    size, counts = block_of(model), [_Counts(width) for width in model.widths[1:-1]]
    for start in range(0, len(data), size):
        for count, slopes in zip(counts, _slopes(model, data.inputs[start : start + size]), strict=True):
            count.add(slopes)
    return tuple(count.units(layer, len(data)) for layer, count in enumerate(counts))


class _Counts:
    """How many samples find each unit of a layer with the slope 0, and flat."""

    def __init__(self, width: int) -> None:
        self.zero, self.flat = (torch.zeros(width, dtype=torch.int64) for _ in range(2))
        self.total = torch.zeros(width, dtype=torch.float64)

    def add(self, slopes: Tensor) -> None:
        size = slopes.abs()
        self.zero += (size == 0).sum(0)
        self.flat += (size < FLAT).sum(0)
        self.total += size.sum(0)

    def units(self, layer: int, samples: int) -> Units:
        dead = self.zero == samples
        saturated = (self.flat >= SATURATED * samples) & ~dead
        off, slope = self.zero.double().mean() / samples, self.total.mean() / samples
        return Units(layer, len(dead), _places(dead), _places(saturated), float(off), float(slope))


def _places(mask: Tensor) -> tuple[int, ...]:
    return tuple(mask.nonzero()[:, 0].tolist())


def _slopes(model: MLPModel, inputs: Tensor) -> list[Tensor]:
    """f'(h) [B, O] of each hidden layer."""
    return [slopes_of(model, own.h) for own in forward(model, inputs)[:-1]]
