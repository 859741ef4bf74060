"""Where a perceptron isn't finite: the sample, the layer and the unit, forwards or backwards."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...kernels.expression.fault import word_of
from ..data.dataset import Dataset
from ..models.mlp import MLPModel, Stage
from .faults import Fault


def fault_of_layers(stages: Sequence[Stage], model: MLPModel, data: Dataset) -> Fault | None:
    """The first layer, sample and unit of one run that isn't finite on the way to the outputs, or None.

    >>> model = MLPModel(torch.full((1, 2), 1e30), [1, 1, 1], False, "mse")
    >>> data = Dataset(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1), ("x",), ("t",))
    >>> str(fault_of_layers([*model.stages(data.inputs)], model, data))
    'row 2: 1e+30*2e+30 is infinite in float32, which unit 0 of layer 1 needs'
    """
    for layer, stage in enumerate(stages):
        for values in (stage.sums, stage.outputs):
            if bool((finite := values[0].isfinite()).all()):
                continue
            row, unit = (~finite).nonzero()[0].tolist()
            place = f"unit {unit} of layer {layer}"
            if values is stage.sums:
                text = _of_sum(stage, model.named()[f"weight_{layer}"][0, unit], row, unit, place)
            else:
                total = float(stage.sums[0, row, unit].detach())
                text = f"{place} is {_word(values[0, row, unit])}, activated by {total:.4g}"
            return Fault(text, place, data.row(row))
    return None


def _of_sum(stage: Stage, weight: Tensor, row: int, unit: int, place: str) -> str:
    """About a sum that isn't finite: a product that isn't, or how large the products are."""
    weight, taken = weight.detach(), stage.taken.detach()[..., row, :].flatten()
    products = weight * taken
    dtype = str(products.dtype).removeprefix("torch.")
    if bool(products.isfinite().all()):
        value, most = _word(stage.sums[0, row, unit]), float(products.abs().max())
        return f"{place} is {value} in {dtype}, a sum of {len(products)} products up to {most:.4g}"
    at = int((~products.isfinite()).nonzero()[0])
    left, right = float(weight[at]), float(taken[at])
    beyond = f" in {dtype}" if math.isfinite(left * right) else ""
    return f"{left:.4g}*{right:.4g} is {_word(products[at])}{beyond}, which {place} needs"


def fault_on_the_way_back(stages: Sequence[Stage], loss: Tensor, data: Dataset) -> Fault | None:
    """The last layer, and the first sample and unit, by whose sum the slope of one run's loss isn't finite.

    >>> model = MLPModel(torch.tensor([[1e-30, 1e30]]), [1, 1, 1], False, "mse")
    >>> data = Dataset(torch.tensor([[1.0]]), torch.full((1, 1), 1e9), ("x",), ("t",))
    >>> stages = [*model.stages(data.inputs)]
    >>> loss = (stages[-1].sums[0] - data.targets).square().mean()
    >>> str(fault_on_the_way_back(stages, loss, data))
    'row 1: d loss/d unit 0 of layer 0 is minus infinity'
    """
    slopes = torch.autograd.grad(loss, [stage.sums for stage in stages], retain_graph=True)
    for layer in reversed(range(len(stages))):
        if not bool((finite := slopes[layer][0].isfinite()).all()):
            row, unit = (~finite).nonzero()[0].tolist()
            place = f"d loss/d unit {unit} of layer {layer}"
            return Fault(f"{place} is {_word(slopes[layer][0, row, unit])}", place, data.row(row))
    return None


def _word(value: Tensor) -> str:
    return word_of(float(value.detach()))
