"""Losses and metrics over a whole data set."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.loss import TERMS, terms
from ...kernels.sums import sum_in_order
from ..data.dataset import Dataset
from .base import Metric, Model

MOST_NUMBERS = 1 << 22  # computed at a time


@dataclass(frozen=True)
class Evaluation:
    """What the models of R runs are worth on a data set: the loss [R], and metrics [R] by name."""

    loss: Tensor
    metrics: dict[str, Tensor]


@torch.no_grad()
def evaluate(model: Model, data: Dataset, metrics: bool = True) -> Evaluation:
    """The loss (a mean, or for sse the sum) over all of `data`, and `metrics`, in float64.

    Samples of weight 0 are out of both. What a run is worth has the same bits in any pack, as far as its
    predictions have: blocks and the order of sums are a matter of the model's width and the data alone.
    """
    wanted = model.metrics if metrics else {}
    counted = data.counted
    block = max(1, MOST_NUMBERS // model.width)
    parts = [_sums(model.of(runs), counted, wanted.values(), block) for runs in _runs(model, counted, block)]
    found = torch.cat(parts, 1)
    loss = found[0] / (len(counted) * terms(model.loss_kind, counted.targets.shape[1]) or 1)
    means = found[1:] / len(counted)
    finished = {name: wanted[name].finish(mean) for name, mean in zip(wanted, means, strict=True)}
    return Evaluation(loss, finished)


def evaluate_only(model: Model, data: Dataset, runs: Tensor, metrics: bool = True) -> Evaluation:
    """`evaluate` of the runs [R] that are marked; the others cost nothing and have NaN."""
    found = evaluate(model.of(runs), data, metrics)

    def spread(values: Tensor) -> Tensor:
        return values.new_full(runs.shape, torch.nan).masked_scatter(runs, values)

    return Evaluation(spread(found.loss), {name: spread(each) for name, each in found.metrics.items()})


def _runs(model: Model, data: Dataset, block: int) -> tuple[Tensor, ...]:
    """The runs that are evaluated at a time."""
    runs = torch.arange(model.runs, device=model.parameters.device)
    most = MOST_NUMBERS // (model.width * max(1, min(block, len(data))))
    return runs.split(max(1, most))


def _sums(model: Model, data: Dataset, metrics: Collection[Metric], block: int) -> Tensor:
    """The sums over all samples of the loss's terms and of each metric's mean in a sample: [1 + M, R]."""
    total = model.parameters.new_zeros(1 + len(metrics), model.runs, dtype=torch.float64)
    for start in range(0, len(data), block):
        part = data.part(slice(start, start + block))
        outputs = _outputs(model, part.inputs).double()
        judged = [each.sample(outputs, part.targets) for each in metrics]
        means = [sum_in_order(each.flatten(1)) / each.shape[2] for each in judged]
        total += torch.stack([sum_in_order(_losses(model, outputs, part).flatten(1)), *means])
    return total


def _outputs(model: Model, inputs: Tensor) -> Tensor:
    """The predictions [R, B, T], each run's with the bits that it has alone."""
    if not model.one_by_one:
        return model.predict(inputs)
    runs = torch.arange(model.runs, device=inputs.device)
    return torch.cat([model.of(run).predict(inputs) for run in runs.split(1)])


def _losses(model: Model, outputs: Tensor, part: Dataset) -> Tensor:
    """The terms of the loss, each squared error times its sample's weight where there are weights."""
    found = TERMS[model.loss_kind](outputs, part.targets)
    return found if part.weights is None else found * part.weights[:, None]
