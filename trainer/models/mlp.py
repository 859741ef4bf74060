"""The multilayer perceptron: linear layers with an activation between them, R of them at once."""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ...kernels.activation import Activation, activation_of
from ...kernels.activation.function import activation
from ...kernels.dropout import Dropout, dropout
from ...kernels.equations.losses import Loss
from ...kernels.linear_relu import linear, linear_relu_chain
from ...kernels.linear_relu.reference import Layer
from ...kernels.loss import loss
from ...kernels.quantize import quantize
from ...kernels.random import Purpose, pair_keys
from .base import Model
from .weights import layout


class Stage(NamedTuple):
    """A layer on its way: what it takes [R, B, I], or [B, I] of all runs, its sums and outputs [R, B, O]."""

    taken: Tensor
    sums: Tensor
    outputs: Tensor


class MLPModel(Model):
    """R perceptrons of `widths` [inputs, hidden..., outputs], with an activation between their layers.

    The layers in `quantized` get their input as uint8; `quantize_error` says what becomes of its error, see
    kernels.quantize. `product` is the format in which matrix products take their operands: "tf32", "bf16",
    or "ieee" for the parameters' own. `activation` is a name or an equation of z. With a `dropout` the loss
    of a step drops hidden layers' outputs; predictions never do.
    """

    def __init__(
        self,
        parameters: Tensor,
        widths: Sequence[int],
        bias: bool,
        loss: str | Loss,
        quantized: Collection[int] = (),
        product: str = "ieee",
        backend: str = "reference",
        activation: str | Activation = "relu",
        quantize_error: str = "add",
    ) -> None:
        super().__init__(parameters, layout(widths, bias), loss, backend)
        self.layers = len(widths) - 1
        self.widths, self.bias = tuple(widths), bias
        self.quantized, self.quantize_error = frozenset(quantized), quantize_error
        self.adds_up = not (
            self.quantized and quantize_error == "add"
        )  # that is added to each sample's alike
        self.product = product
        self.activation = activation_of(activation)
        self.dropout: Dropout | None = None

    def of(self, runs: Tensor) -> Self:
        """The same model of these `runs` alone; see Model.of."""
        part = super().of(runs)
        part.dropout = self.dropout and self.dropout.of(runs)
        return part

    def on_host(self) -> Self:
        """The same model on the CPU; see Model.on_host."""
        part = super().on_host()
        part.dropout = self.dropout and Dropout(self.dropout.rates.cpu(), self.dropout.scales.cpu())
        return part

    def keys(self, steps: Tensor) -> Tensor:
        """What is dropped at `steps` [S], as keys for each run and hidden layer: [S, R, L, 2]."""
        if self.dropout is None:
            return super().keys(steps)
        return pair_keys(self.seeds, Purpose.DROPOUT, steps[:, None], self.layers - 1)

    def keys_from(self, keys: Tensor, sample: int) -> Tensor:
        """Those of a step's samples from one on; see Model.keys_from.

        Sample n is drawn by n ^ k: of a block of 2^j samples n is first ^ its place in the block.
        """
        if self.dropout is None:
            return keys
        return torch.stack([keys[..., 0] ^ sample, keys[..., 1]], -1)

    @property
    def constants(self) -> Tensor:
        """Those of the loss, and where there is dropout its rate and its scale; see Model.constants."""
        drops = [] if self.dropout is None else [self.dropout.rates, self.dropout.scales]
        return torch.cat([super().constants, *(part[:, None] for part in drops)], 1)

    def loss(
        self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None, keys: Tensor | None = None
    ) -> Tensor:
        """L for every run, [R]; see Model.loss."""
        outputs = self._outputs(self.parameters, inputs, self.backend, keys)
        return loss(outputs, targets, self.loss_kind, self.backend, self.loss_constants, weights)

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

    def stages(self, inputs: Tensor, keys: Tensor | None = None) -> Iterator[Stage]:
        """Layer after layer, by the reference; `keys` [R, ...] are those of a step, see Model.loss."""
        named, values = self.named(), inputs
        for number in range(self.layers):
            taken = self._input(number, values, "reference", keys)
            layer = named[f"weight_{number}"], named.get(f"bias_{number}")
            sums = linear(taken, *layer, self.product, "reference")
            last = number == self.layers - 1
            values = sums if last else activation(sums, self.activation, "reference")
            yield Stage(taken, sums, values)

    def _outputs(
        self, parameters: Tensor, inputs: Tensor, backend: str, keys: Tensor | None = None
    ) -> Tensor:
        named = self.parts(parameters)
        layers = [(named[f"weight_{layer}"], named.get(f"bias_{layer}")) for layer in range(self.layers)]
        through = self._through_relu if self.activation.is_relu else self._through
        return through(layers, inputs, backend, keys)

    def _through_relu(self, layers: list[Layer], values: Tensor, backend: str, keys: Tensor | None) -> Tensor:
        """Chains of layers, each from one input that is dropped or quantized to the next."""
        dropped = range(self.layers) if self.dropout and keys is not None else ()
        for start, stop in pairwise(sorted({0, *dropped, *self.quantized, self.layers})):
            values = self._input(start, values, backend, keys)
            relu_last = stop < self.layers
            values = linear_relu_chain(values, layers[start:stop], relu_last, self.product, backend)
        return values

    def _through(self, layers: list[Layer], values: Tensor, backend: str, keys: Tensor | None) -> Tensor:
        """A layer and its activation after another."""
        for number, (weight, bias) in enumerate(layers):
            if number > 0:
                values = activation(values, self.activation, backend)
            values = self._input(number, values, backend, keys)
            values = linear(values, weight, bias, self.product, backend)
        return values

    def _input(self, layer: int, values: Tensor, backend: str, keys: Tensor | None) -> Tensor:
        """What a layer takes of the values before it: those that aren't dropped, quantized."""
        if self.dropout and keys is not None and layer > 0:
            values = dropout(values, keys[:, layer - 1], self.dropout, backend)
        return quantize(values, backend, self.quantize_error) if layer in self.quantized else values

    @property
    def width(self) -> int:
        """The features of the widest layer."""
        return max(self.widths)

    @property
    def one_by_one(self) -> bool:
        """True on the CPU, where the rounding of torch's products depends on the number of runs."""
        return self.backend != "triton" and not self.parameters.is_cuda
