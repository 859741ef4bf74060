"""Losses and metrics over a whole data set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.loss import LOSSES
from trainer.data.dataset import Dataset
from trainer.models.base import Model

MOST_NUMBERS = 1 << 25  # of all runs together, computed at a time


@dataclass(frozen=True)
class Evaluation:
    """What the models of R runs are worth on a data set: the loss [R], and metrics [R] by name."""

    loss: Tensor
    metrics: dict[str, Tensor]


@torch.no_grad()
def evaluate(model: Model, data: Dataset, metrics: bool = True) -> Evaluation:
    """The loss (a mean, or for sse the sum) over all of `data`, and `metrics`, block by block in float64."""
    wanted = model.metrics if metrics else {}
    block = max(1, MOST_NUMBERS // (model.runs * model.width))
    loss = torch.zeros(model.runs, dtype=torch.float64, device=model.parameters.device)
    sums = {name: torch.zeros_like(loss) for name in wanted}
    for start in range(0, len(data), block):
        part = data.part(slice(start, start + block))
        outputs = model.predict(part.inputs).double()
        share = 1.0 if model.loss_kind == "sse" else len(part) / len(data)
        loss += _loss(model, outputs, part) * share
        for name, metric in wanted.items():
            mean = metric.sample(outputs, part.targets).mean((1, 2))
            sums[name] += mean * (len(part) / len(data))
    return Evaluation(loss, {n: metric.finish(sums[n]) for n, metric in wanted.items()})


def evaluate_only(model: Model, data: Dataset, runs: Tensor, metrics: bool = True) -> Evaluation:
    """`evaluate` of the runs [R] that are marked; the others cost nothing and have NaN."""
    found = evaluate(model.of(runs), data, metrics)

    def spread(values: Tensor) -> Tensor:
        return values.new_full(runs.shape, torch.nan).masked_scatter(runs, values)

    return Evaluation(spread(found.loss), {name: spread(each) for name, each in found.metrics.items()})


def _loss(model: Model, outputs: Tensor, part: Dataset) -> Tensor:
    """The loss [R], each squared error times its sample's weight where there are weights."""
    targets = part.targets
    if part.weights is not None:
        root = part.weights.sqrt()[:, None]
        outputs, targets = outputs * root, targets * root
    return LOSSES[model.loss_kind](outputs, targets)[0]
