"""The multilayer perceptron: linear layers with ReLU between them, R of them at once."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ...kernels.linear_relu import linear_relu_chain
from ...kernels.loss import loss
from ...kernels.quantize import quantize
from ...kernels.random import Purpose, uniform
from .base import Model

BLOCK = 1 << 20  # numbers drawn at a time


class MLPModel(Model):
    """R perceptrons of `widths` [in, hidden..., out]; the layers in `quantized` get their input as uint8.

    `product` is the format in which matrix products take their operands, "ieee" for the parameters' own.
    """

    def __init__(
        self,
        parameters: Tensor,
        widths: Sequence[int],
        bias: bool,
        loss: str,
        quantized: Collection[int] = (),
        product: str = "ieee",
        backend: str = "reference",
    ) -> None:
        super().__init__(parameters, layout(widths, bias), loss, backend)
        self.layers = len(widths) - 1
        self.widths, self.bias = tuple(widths), bias
        self.quantized = frozenset(quantized)
        self.product = product

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return loss(self.predict(inputs), targets, self.loss_kind, self.backend)

    def predict(self, inputs: Tensor) -> Tensor:
        return self._outputs(self.parameters, inputs, self.backend)

    def jacobian(self, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        def outputs(flat: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
            found = self._outputs(flat[None], sample[None], "reference")[0, 0]
            return found, found

        per_sample = torch.func.jacrev(outputs, has_aux=True)
        per_run = torch.func.vmap(per_sample, (None, 0))
        slopes, values = torch.func.vmap(per_run, (0, 0 if inputs.dim() == 3 else None))(parameters, inputs)
        return values, slopes

    def _outputs(self, parameters: Tensor, inputs: Tensor, backend: str) -> Tensor:
        """Chains of layers, each from one quantized input to the next."""
        named = self.parts(parameters)
        layers = [(named[f"weight_{layer}"], named.get(f"bias_{layer}")) for layer in range(self.layers)]
        values = inputs
        for start, stop in pairwise(sorted({0, *self.quantized, self.layers})):
            if start in self.quantized:
                values = quantize(values, backend)
            relu_last = stop < self.layers
            values = linear_relu_chain(values, layers[start:stop], relu_last, self.product, backend)
        return values

    @property
    def width(self) -> int:
        return max(self.widths)

    @property
    def one_by_one(self) -> bool:
        """Torch's products on the CPU round by the number of runs."""
        return self.backend != "triton" and not self.parameters.is_cuda


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
    sizes = [math.prod(shape) for shape in shapes.values()]
    found = torch.empty(len(seeds), sum(sizes), dtype=dtype, device=seeds.device)
    block, start = max(1, BLOCK // len(seeds)), 0
    for name, part in zip(shapes, found.split(sizes, 1), strict=True):
        # the bound as float32 has it
        bound = torch.tensor(widths[int(name.rpartition("_")[2])] ** -0.5).double()
        for some in part.split(block, 1):
            drawn = uniform(seeds, Purpose.INITIAL, start, start + some.shape[1], torch.float64)
            some.copy_((2 * drawn - 1) * bound)
            start += some.shape[1]
    return found
