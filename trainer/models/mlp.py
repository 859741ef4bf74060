"""The multilayer perceptron: linear layers with ReLU between them, R of them at once."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from kernels.linear_relu.reference import linear_reference, linear_relu_reference
from kernels.loss import loss
from kernels.quantize import quantize
from kernels.random import Purpose, uniform
from trainer.models.base import Model


class MLPModel(Model):
    """R perceptrons of `widths` [in, hidden..., out]; the layers in `quantized` get their input as uint8.

    `product` is the dtype in which matrix products take their operands, None for the parameters' own.
    """

    def __init__(
        self,
        parameters: Tensor,
        widths: Sequence[int],
        bias: bool,
        loss: str,
        quantized: Collection[int] = (),
        product: torch.dtype | None = None,
    ) -> None:
        super().__init__(parameters, layout(widths, bias), loss)
        self.layers = len(widths) - 1
        self.widths = tuple(widths)
        self.quantized = frozenset(quantized)
        self.product = product

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return loss(self.predict(inputs), targets, self.loss_kind)

    def predict(self, inputs: Tensor) -> Tensor:
        return self._outputs(self.parameters, inputs)

    def jacobian(self, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        def outputs(flat: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
            found = self._outputs(flat[None], sample[None])[0, 0]
            return found, found

        per_sample = torch.func.jacrev(outputs, has_aux=True)
        per_run = torch.func.vmap(per_sample, (None, 0))
        slopes, values = torch.func.vmap(per_run, (0, 0 if inputs.dim() == 3 else None))(parameters, inputs)
        return values, slopes

    def _outputs(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        named = self.parts(parameters)
        values = inputs
        for layer in range(self.layers):
            if layer in self.quantized:
                values = quantize(values)
            linear = linear_reference if layer == self.layers - 1 else linear_relu_reference
            weight, bias = named[f"weight_{layer}"], named.get(f"bias_{layer}")
            values = linear(values, weight, bias, self.product)
        return values

    @property
    def width(self) -> int:
        return max(self.widths)


def layout(widths: Sequence[int], bias: bool) -> dict[str, tuple[int, ...]]:
    """weight_l [O, I] and bias_l [O] of each layer l."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (features, outputs) in enumerate(pairwise(widths)):
        shapes[f"weight_{layer}"] = (outputs, features)
        if bias:
            shapes[f"bias_{layer}"] = (outputs,)
    return shapes


def initial_weights(widths: Sequence[int], bias: bool, seeds: Tensor, dtype: torch.dtype) -> Tensor:
    """The starting parameters [R, P]: uniform in +-1/sqrt(I), as in torch.nn.Linear, by each run's seed."""
    shapes = layout(widths, bias)
    fan_in = {name: widths[int(name.rpartition("_")[2])] for name in shapes}
    bound = torch.cat([torch.full((math.prod(s),), fan_in[n] ** -0.5) for n, s in shapes.items()]).to(
        seeds.device, torch.float64
    )
    drawn = uniform(seeds, Purpose.INITIAL, 0, len(bound), torch.float64)
    return ((2 * drawn - 1) * bound).to(dtype)
