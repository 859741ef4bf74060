"""Losses and gradients of a model by its samples, in float64."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.loss.reference import loss_reference
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.evaluate import evaluate
from ..models.predict import block_of

WORST = "worst"


def chosen_sample(model: Model, data: Dataset, given: int | str) -> int:
    """The sample that is meant: a number from 0, or 'worst', the one with the largest loss. Raises UserError.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> data = Dataset(torch.ones(3, 1).double(), torch.tensor([[2.0], [9.0], [3.0]]), ("x",), ("xy",))
    >>> chosen_sample(model, data, "worst"), chosen_sample(model, data, "2")
    (1, 2)
    """
    if str(given) == WORST:
        return int(losses(model, data).nan_to_num(nan=torch.inf).argmax())
    if not str(given).isdecimal() or int(given) >= len(data):
        raise UserError(f"sample is 0 to {len(data) - 1:,}, or {WORST}; got {given}")
    return int(given)


def blocks_of(model: Model, data: Dataset) -> Iterator[tuple[int, Dataset]]:
    """The samples in blocks that are computed together, each with the place of its first one.

    So many that a number for each parameter of each of them has room.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> data = Dataset(torch.ones(9, 1), torch.ones(9, 1), ("x",), ("y",))
    >>> [(start, len(block)) for start, block in blocks_of(model, data)]
    [(0, 9)]
    """
    size = max(1, block_of(model) // len(model.layout))
    for start in range(0, len(data), size):
        yield start, data.part(slice(start, start + size))


@torch.no_grad()
def losses(model: Model, data: Dataset) -> Tensor:
    """The loss of each sample alone, [N], times its weight where there are weights.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> data = Dataset(torch.ones(2, 1).double(), torch.tensor([[2.0], [5.0]]), ("x",), ("xy",))
    >>> losses(model, data).tolist()
    [0.0, 9.0]
    """
    parts = []
    for start in range(0, len(data), block_of(model)):
        block = data.part(slice(start, start + block_of(model)))
        outputs = model.predict(block.inputs)[0]
        stacked = outputs[:, None], block.targets[:, None]  # [N, 1, T]: a run a sample
        parts.append(loss_and_slopes(model, *stacked, block.weights)[0])
    return torch.cat(parts)


def loss_and_slopes(
    model: Model, outputs: Tensor, targets: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """L [K] and dL/dy [K, B, T] of K minibatches: outputs [K, B, T], targets likewise, weights [K*B].

    Weights multiply losses, or the squared errors inside where the model `weighs_errors`.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> loss, slopes = loss_and_slopes(model, torch.ones(1, 2, 1), torch.zeros(1, 2, 1), None)
    >>> loss.tolist(), slopes.flatten().tolist()
    ([1.0], [1.0, 1.0])
    """
    constants = model.loss_constants
    constants = None if constants is None else constants.double().expand(len(outputs), -1)
    if weights is None:
        return loss_reference(model.loss_kind, outputs, targets, constants)
    weights = weights.view(outputs.shape[:2])
    if not model.weighs_errors:
        return loss_reference(model.loss_kind, outputs, targets, constants, weights)
    root = weights.sqrt()[..., None]
    loss, slopes = loss_reference(model.loss_kind, root * outputs, root * targets, constants)
    return loss, root * slopes


def mean_loss(model: Model, data: Dataset) -> float:
    """The loss over all of the samples, as results have it.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> data = Dataset(torch.ones(2, 1).double(), torch.tensor([[2.0], [5.0]]), ("x",), ("xy",))
    >>> mean_loss(model, data)
    4.5
    """
    return float(evaluate(model, data, metrics=False).loss[0])


def gradient(model: Model, data: Dataset) -> Tensor:
    """dL/dp [P] of the loss over these samples, as training takes it.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0]]).double(), "mse", None)
    >>> data = Dataset(torch.ones(2, 1).double(), torch.tensor([[2.0], [5.0]]).double(), ("x",), ("xy",))
    >>> gradient(model, data).tolist()
    [-3.0]
    """
    size = block_of(model)
    share = len(data) if model.loss_kind.mean else 1
    total = torch.zeros_like(model.parameters[0])
    for start in range(0, len(data), size):
        part = data.part(slice(start, start + size))
        total += _gradient(model, part) * (len(part) if model.loss_kind.mean else 1) / share
    return total


def _gradient(model: Model, data: Dataset) -> Tensor:
    if model.weighs_errors and data.weights is not None:
        return _by_jacobian(model, data)
    loss = model.loss(data.inputs, data.targets, data.weights)
    return torch.autograd.grad(loss.sum(), model.parameters)[0][0]


@torch.no_grad()
def _by_jacobian(model: Model, data: Dataset) -> Tensor:
    """J^T dL/dy, of a loss whose weights are inside, as least squares have them."""
    outputs, jacobian = model.jacobian(model.parameters, data.inputs)
    _, slopes = loss_and_slopes(model, outputs, data.targets[None], data.weights)
    return torch.einsum("bt,btp->p", slopes[0], jacobian[0])
