"""The multilayer perceptron: linear layers with ReLU between them, R of them at once."""

from collections.abc import Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ...kernels.linear_relu import linear_relu_chain
from ...kernels.loss import loss
from ...kernels.quantize import quantize
from .base import Model
from .weights import layout


class MLPModel(Model):
    """R perceptrons of `widths` [inputs, hidden..., outputs], with ReLU between their layers.

    The layers in `quantized` get their input as uint8; `quantize_error` says what becomes of its error, see
    kernels.quantize. `product` is the format in which matrix products take their operands: "tf32", "bf16",
    or "ieee" for the parameters' own.
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
        quantize_error: str = "add",
    ) -> None:
        super().__init__(parameters, layout(widths, bias), loss, backend)
        self.layers = len(widths) - 1
        self.widths, self.bias = tuple(widths), bias
        self.quantized, self.quantize_error = frozenset(quantized), quantize_error
        self.product = product

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """L for every run, [R]; see Model.loss."""
        return loss(self.predict(inputs), targets, self.loss_kind, self.backend)

    def predict(self, inputs: Tensor) -> Tensor:
        """Outputs [R, B, T]; see Model.predict."""
        return self._outputs(self.parameters, inputs, self.backend)

    def jacobian(self, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(y, dy/dp), [R, B, T] and [R, B, T, P]; see Model.jacobian."""

        def outputs(flat: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
            values = self._outputs(flat[None], sample[None], "reference")[0, 0]
            return values, values

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
                values = quantize(values, backend, self.quantize_error)
            relu_last = stop < self.layers
            values = linear_relu_chain(values, layers[start:stop], relu_last, self.product, backend)
        return values

    @property
    def width(self) -> int:
        """The features of the widest layer."""
        return max(self.widths)

    @property
    def one_by_one(self) -> bool:
        """True on the CPU, where the rounding of torch's products depends on the number of runs."""
        return self.backend != "triton" and not self.parameters.is_cuda
