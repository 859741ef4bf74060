"""Losses and metrics over a whole data set."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.loss import terms_reference
from ...kernels.sums import sum_in_order
from ..data.dataset import Dataset
from .base import Metric, Model

MOST_NUMBERS = 1 << 22  # computed at a time


@dataclass(frozen=True)
class Evaluation:
    """The loss [R] of R runs on a data set, and their metrics by name, [R] each."""

    loss: Tensor
    metrics: dict[str, Tensor]


@torch.no_grad()
def evaluate(model: Model, data: Dataset, metrics: bool = True) -> Evaluation:
    """The loss (a mean, or for sse the sum) over all of `data`, and the `metrics`, in float64.

    Samples of weight 0 count in neither. Blocks and the order of sums depend on the model's width and the
    data alone, so that a run whose predictions have the same bits in any pack has the same loss in any pack.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.evaluate import evaluate
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), ("x",), ("xy",))
    >>> evaluate(model, data).loss.tolist()
    [0.0, 2.5]
    """
    wanted = model.metrics if metrics else {}
    counted = data.counted
    block = max(1, MOST_NUMBERS // model.width)
    parts = [_sums(model.of(runs), counted, wanted.values(), block) for runs in _runs(model, counted, block)]
    sums = torch.cat(parts, 1)
    loss = sums[0] / (len(counted) * model.loss_kind.terms(counted.targets.shape[1]) or 1)
    means = sums[1:] / len(counted)
    finished = {name: wanted[name].finish(mean) for name, mean in zip(wanted, means, strict=True)}
    return Evaluation(loss, finished)


def evaluate_only(model: Model, data: Dataset, runs: Tensor, metrics: bool = True) -> Evaluation:
    """`evaluate` of the runs that the mask `runs` [R] marks; the others cost nothing and have NaN.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.evaluate import evaluate_only
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> data = Dataset(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]), ("x",), ("xy",))
    >>> evaluate_only(model, data, torch.tensor([False, True])).loss.tolist()
    [nan, 2.5]
    """
    part = evaluate(model.of(runs), data, metrics)

    def spread(values: Tensor) -> Tensor:
        return values.new_full(runs.shape, torch.nan).masked_scatter(runs, values)

    return Evaluation(spread(part.loss), {name: spread(values) for name, values in part.metrics.items()})


def _runs(model: Model, data: Dataset, block: int) -> tuple[Tensor, ...]:
    """The runs, in parts that are evaluated one after another."""
    runs = torch.arange(model.runs, device=model.parameters.device)
    most = MOST_NUMBERS // (model.width * max(1, min(block, len(data))))
    return runs.split(max(1, most))


def _sums(model: Model, data: Dataset, metrics: Collection[Metric], block: int) -> Tensor:
    """The sums over all samples of the loss's terms and of each metric's mean in a sample: [1 + M, R]."""
    total = model.parameters.new_zeros(1 + len(metrics), model.runs, dtype=torch.float64)
    for start in range(0, len(data), block):
        part = data.part(slice(start, start + block))
        outputs = _outputs(model, part.inputs).double()
        samples = [metric.sample(outputs, part.targets) for metric in metrics]
        means = [sum_in_order(values.flatten(1)) / values.shape[2] for values in samples]
        total += torch.stack([sum_in_order(_losses(model, outputs, part).flatten(1)), *means])
    return total


def _outputs(model: Model, inputs: Tensor) -> Tensor:
    """The predictions [R, B, T]; each run's have the bits that they have where it is alone."""
    if not model.one_by_one:
        return model.predict(inputs)
    runs = torch.arange(model.runs, device=inputs.device)
    return torch.cat([model.of(run).predict(inputs) for run in runs.split(1)])


def _losses(model: Model, outputs: Tensor, part: Dataset) -> Tensor:
    """The terms of the loss, each times its sample's weight where there are weights."""
    losses = terms_reference(model.loss_kind, outputs, part.targets, model.loss_constants)
    return losses if part.weights is None else losses * part.weights[:, None]
