"""The loss of one model at many sets of parameters, as one pack: what a surface is drawn of."""

from dataclasses import replace

import torch
from torch import Tensor

from ...kernels.equations.losses import loss_of
from ...kernels.expression import expression_loss
from ...kernels.loss import loss_constants
from ..data.dataset import Dataset
from .base import Model
from .evaluate import evaluate
from .expression import ExpressionModel
from .mlp import MLPModel

CPU, DTYPE = torch.device("cpu"), torch.float32  # of an MLP
MOST_NUMBERS = 1 << 24  # partial sums of a pack that is computed at a time
BLOCK = 1024  # samples of a partial sum


@torch.no_grad()
def losses_at(model: Model, data: Dataset, points: Tensor, run: int = 0) -> Tensor:
    """The loss over all samples at each of K sets of parameters `points` [K, P] -> [K] in float64.

    The model is that of `run`, whose loss's constants count, as `evaluate` measures it. Equations are
    computed in float64 on the CPU, MLPs in float32. Not finite where the loss isn't.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), ("x",), ("xy",))
    >>> losses_at(model, data, torch.tensor([[2.0], [3.0]])).tolist()
    [0.0, 2.5]
    """
    one = model.of(torch.tensor([run], device=model.parameters.device))
    counted = data.counted
    if one.weighs_errors and counted.weights is not None:
        return _of_any(one, counted, points)
    if isinstance(one, ExpressionModel):
        return _of_equations(one, counted.to(CPU, torch.float64), points.to(CPU, torch.float64))
    if isinstance(one, MLPModel) and not one.quantized:
        return _of_layers(one, counted.to(CPU, DTYPE), points.to(CPU, DTYPE))
    return _of_any(one, counted, points)


def _of_equations(model: ExpressionModel, data: Dataset, points: Tensor) -> Tensor:
    sums = (1 + points.shape[1]) * -(-len(data) // BLOCK)
    losses = []
    for part in points.split(max(1, MOST_NUMBERS // sums)):
        own = loss_constants(model.loss_kind, part, _in_runs(model, part))
        given = model.graph, part.contiguous(), data.inputs, data.targets, model.loss_kind
        losses.append(expression_loss(*given, backend="numba", constants=own, weights=data.weights))
    return torch.cat(losses)


def _of_layers(model: MLPModel, data: Dataset, points: Tensor) -> Tensor:
    from ...kernels.descent.numba.losses import losses  # noqa: PLC0415 (numba takes a second to import)
    from ...kernels.descent.numba.sums import layers_sums  # noqa: PLC0415 (likewise)

    kind, inputs = loss_of(model.loss_kind, weighted=data.weights is not None), data.inputs
    if data.weights is not None:
        inputs = torch.cat([inputs, data.weights.to(inputs.dtype)[:, None]], 1)
    sums = layers_sums(model.widths, model.bias, kind, points.dtype, model.activation)
    constants = loss_constants(kind, points, _in_runs(model, points))
    targets = data.targets
    return losses(sums, points, constants, inputs.T, targets.T, kind.terms(model.widths[-1]))


def _in_runs(model: Model, points: Tensor) -> Tensor | None:
    """The constants of the model's loss for each of the points, None for the loss's own."""
    constants = model.loss_constants
    return None if constants is None else constants.to(points).expand(len(points), -1)


def _of_any(model: Model, data: Dataset, points: Tensor) -> Tensor:
    losses = []
    for part in points.to(model.parameters).split(max(1, MOST_NUMBERS // points.shape[1])):
        many = model.of(torch.zeros(len(part), dtype=torch.int64, device=part.device))
        many.parameters = part.contiguous()
        losses.append(evaluate(many, data, metrics=False).loss.cpu())
    return torch.cat(losses)


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
