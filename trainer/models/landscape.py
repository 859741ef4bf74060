"""The loss of one model at many sets of parameters, as one pack: what a surface is drawn of."""

from dataclasses import replace

import torch
from torch import Tensor

from ...kernels.expression import expression_loss
from ..data.dataset import Dataset
from .base import Model
from .evaluate import evaluate
from .expression import ExpressionModel

CPU = torch.device("cpu")
MOST_NUMBERS = 1 << 24  # partial sums of a pack that is computed at a time
BLOCK = 1024  # samples of a partial sum


@torch.no_grad()
def losses_at(model: Model, data: Dataset, points: Tensor, run: int = 0) -> Tensor:
    """The loss over all samples at each of K sets of parameters `points` [K, P] -> [K] in float64.

    The model is that of `run`, whose loss's constants count, as `evaluate` measures it. Equations are
    computed in float64 on the CPU. Not finite where the loss isn't.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), ("x",), ("xy",))
    >>> losses_at(model, data, torch.tensor([[2.0], [3.0]])).tolist()
    [0.0, 2.5]
    """
    one = model.of(torch.tensor([run], device=model.parameters.device))
    counted = data.counted
    if isinstance(one, ExpressionModel) and not (one.weighs_errors and counted.weights is not None):
        return _of_equations(one, counted.to(CPU, torch.float64), points.to(CPU, torch.float64))
    points = points.to(one.parameters)
    return torch.cat([_of_any(one, counted, part) for part in points.split(MOST_NUMBERS // points.shape[1])])


def _of_equations(model: ExpressionModel, data: Dataset, points: Tensor) -> Tensor:
    sums = (1 + points.shape[1]) * -(-len(data) // BLOCK)
    constants = model.loss_constants
    losses = []
    for part in points.split(max(1, MOST_NUMBERS // sums)):
        own = None if constants is None else constants.to(CPU, torch.float64).expand(len(part), -1)
        given = model.graph, part.contiguous(), data.inputs, data.targets, model.loss_kind
        losses.append(expression_loss(*given, backend="numba", constants=own, weights=data.weights))
    return torch.cat(losses)


def _of_any(model: Model, data: Dataset, points: Tensor) -> Tensor:
    many = model.of(torch.zeros(len(points), dtype=torch.int64, device=points.device))
    many.parameters = points.contiguous()
    return evaluate(many, data, metrics=False).loss.cpu()


def thinned(data: Dataset, most: int) -> Dataset:
    """The samples that count, of more than `most` some, evenly.

    >>> data = Dataset(torch.arange(9.0)[:, None], torch.zeros(9, 1), ("x",), ("xy",))
    >>> thinned(data, 3).inputs[:, 0].tolist()
    [0.0, 4.0, 8.0]
    """
    counted = data.counted
    if len(counted) <= most:
        return counted
    return counted.part(torch.linspace(0, len(counted) - 1, max(1, most)).long().to(counted.inputs.device))


def minibatch(data: Dataset, index: Tensor) -> Dataset:
    """The samples at `index` [B] of those that count, as a step sees them.

    >>> data = Dataset(torch.arange(9.0)[:, None], torch.zeros(9, 1), ("x",), ("xy",))
    >>> minibatch(data, torch.tensor([5, 0])).inputs[:, 0].tolist()
    [5.0, 0.0]
    """
    return replace(data.part(index), segments=None)
