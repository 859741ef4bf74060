"""Which samples a least-squares fit hangs on: leverages and Cook's distances."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.language.explain_sheets import number
from ...kernels.language.sheet import Sheet
from ..data.dataset import Dataset
from ..models.expression import ExpressionModel
from .samples import blocks_of

FARTHEST = 5  # samples that are told
ALONE = 1e-10  # 1 - h below which a fit goes through a sample whatever it is


@dataclass(frozen=True)
class Weighty:
    """A sample that a fit hangs on: its leverage h, its error t - y, and its Cook's distance.

    `residual` is the error over what is expected of it, NaN where there are several outputs; `distance` is
    infinite where the fit goes through the sample whatever it is.
    """

    sample: int
    row: int
    leverage: float
    residual: float
    distance: float


@dataclass(frozen=True)
class Leverage:
    """The samples with the largest Cook's distances, of a fit of k `parameters` to n `numbers`."""

    samples: tuple[Weighty, ...]
    parameters: int
    numbers: int
    mean: float

    @property
    def sheet(self) -> Sheet:
        """The table."""
        labels = ">sample", ">row", ">leverage h", ">residual/sd", ">Cook's D"
        lines = tuple(
            (
                f"{s.sample:,}",
                f"{s.row:,}",
                number(s.leverage, 4),
                number(s.residual, 4),
                number(s.distance, 4),
            )
            for s in self.samples
        )
        about = (
            f"h is how far the fit follows the sample: {number(self.mean, 3)} on average, 1 where it has to",
            "D is how far the fit moves without it, over its uncertainty: look at those near 1 or above",
        )
        return Sheet("Which samples the fit hangs on", labels, lines, about=about)


@torch.no_grad()
def leverages(model: ExpressionModel, data: Dataset, free: Tensor) -> Leverage | None:
    """What a fit hangs on, of squares and the parameters that are `free` [P]; None of too few samples.

    With the rows of J times the roots of the weights, H = J (J^T J)^+ J^T is the hat matrix, h its diagonal;
    of T outputs a sample has a block H_s of it and h = trace H_s. Its residual is e/(s sqrt(1 - h)), with
    s^2 = RSS/(n - k), or 1 where errors are known, and Cook's distance
    D = e^T (1 - H_s)^-1 H_s (1 - H_s)^-1 e/(k s^2), which is (e^2/(k s^2)) h/(1 - h)^2 of one output:
    Cook (1977), Technometrics 19, 15; Cook and Weisberg (1982), Residuals and Influence in Regression,
    section 3.5. Of equations that aren't linear in their parameters it is that of their linearization.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[1.0]]).double(), "mse", None)
    >>> x, t = torch.tensor([[1.0], [2.0]]).double(), torch.tensor([[3.0], [1.0]]).double()
    >>> found = leverages(model, Dataset(x, t, ("x",), ("t",)), torch.tensor([True]))
    >>> [(s.sample, round(s.leverage, 3), round(s.distance, 3)) for s in found.samples]
    [(1, 0.8, 4.0), (0, 0.2, 0.25)]
    """
    rows, errors = torch.empty(0, int(free.sum()), dtype=torch.float64), 0.0
    for _, block in blocks_of(model, data):
        own, error = _linear(model, block, free)
        rows = torch.linalg.qr(torch.cat([rows, own.flatten(0, 1)]), mode="r").R
        errors += float(error.square().sum())
    if not (rows.isfinite().all() and math.isfinite(errors)):
        return None
    scale = rows.norm(dim=0)
    scale = scale.where(scale > 0, 1)
    rank, count = int(torch.linalg.matrix_rank(rows / scale)), len(data) * len(model.graph.outputs)
    if not rank or count <= rank:
        return None
    inverse = torch.linalg.pinv(rows / scale) / scale[:, None]
    variance = 1.0 if data.absolute else errors / (count - rank) or 1.0
    measured = [_measured(*_linear(model, block, free), inverse) for _, block in blocks_of(model, data)]
    h, residual, distance = (torch.cat(parts) for parts in zip(*measured, strict=True))
    residual, distance = residual / variance**0.5, distance / (rank * variance)
    order = distance.argsort(descending=True, stable=True)[:FARTHEST].tolist()
    samples = (
        Weighty(place, data.row(place), *(float(part[place]) for part in (h, residual, distance)))
        for place in order
    )
    return Leverage(tuple(samples), rank, count, rank / len(data))


def _linear(model: ExpressionModel, block: Dataset, free: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of J [B, T, K] and the errors t - y [B, T] of a fit, times the roots of the weights."""
    outputs, slopes = model.jacobian(model.parameters, block.inputs)
    root = torch.ones(len(block), 1) if block.weights is None else block.weights.sqrt()[:, None]
    root = root.double()
    return slopes[0][..., free] * root[..., None], (block.targets - outputs[0]) * root


def _measured(rows: Tensor, errors: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Leverage, error/sqrt(1 - h), and Cook's distance but for k s^2, of each sample: [B] each."""
    half = rows @ inverse  # H_s = half half^T
    h, axes = torch.linalg.eigh(half @ half.mT)
    left = (1 - h).clamp(min=0)
    along = (axes.mT @ errors[..., None])[..., 0]
    moved = along.square() * h.clamp(min=0) / left.square()
    moved = moved.masked_fill(left < ALONE, torch.inf)
    own = errors[:, 0] / left[:, 0].sqrt() if errors.shape[1] == 1 else torch.full_like(h[:, 0], torch.nan)
    return h.sum(1), own.masked_fill(own.isinf(), torch.nan), moved.sum(1)
