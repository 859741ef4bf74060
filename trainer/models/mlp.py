"""The multilayer perceptron: linear layers with an activation between them, R of them at once."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ...kernels.activation import Activation, activation_of
from ...kernels.activation.function import activation
from ...kernels.equations.losses import Loss
from ...kernels.linear_relu import linear, linear_relu_chain
from ...kernels.linear_relu.reference import Layer
from ...kernels.loss import loss
from ...kernels.quantize import quantize
from ...kernels.random import Purpose, uniform
from .base import Model

BLOCK = 1 << 20  # numbers drawn at a time


class MLPModel(Model):
    """R perceptrons of `widths` [inputs, hidden..., outputs], with an activation between their layers.

    The layers in `quantized` get their input as uint8. `product` is the format in which matrix products
    take their operands: "tf32", "bf16", or "ieee" for the parameters' own. `activation` is a name or an
    equation of z.
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
    ) -> None:
        super().__init__(parameters, layout(widths, bias), loss, backend)
        self.layers = len(widths) - 1
        self.widths, self.bias = tuple(widths), bias
        self.quantized = frozenset(quantized)
        self.product = product
        self.activation = activation_of(activation)

    def loss(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """L for every run, [R]; see Model.loss."""
        outputs = self.predict(inputs)
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

    def _outputs(self, parameters: Tensor, inputs: Tensor, backend: str) -> Tensor:
        named = self.parts(parameters)
        layers = [(named[f"weight_{layer}"], named.get(f"bias_{layer}")) for layer in range(self.layers)]
        through = self._through_relu if self.activation.is_relu else self._through
        return through(layers, inputs, backend)

    def _through_relu(self, layers: list[Layer], values: Tensor, backend: str) -> Tensor:
        """Chains of layers, each from one quantized input to the next."""
        for start, stop in pairwise(sorted({0, *self.quantized, self.layers})):
            if start in self.quantized:
                values = quantize(values, backend)
            relu_last = stop < self.layers
            values = linear_relu_chain(values, layers[start:stop], relu_last, self.product, backend)
        return values

    def _through(self, layers: list[Layer], values: Tensor, backend: str) -> Tensor:
        """A layer and its activation after another."""
        for number, (weight, bias) in enumerate(layers):
            if number > 0:
                values = activation(values, self.activation, backend)
            if number in self.quantized:
                values = quantize(values, backend)
            values = linear(values, weight, bias, self.product, backend)
        return values

    @property
    def width(self) -> int:
        """The features of the widest layer."""
        return max(self.widths)

    @property
    def one_by_one(self) -> bool:
        """True on the CPU, where the rounding of torch's products depends on the number of runs."""
        return self.backend != "triton" and not self.parameters.is_cuda


def layout(widths: Sequence[int], bias: bool) -> dict[str, tuple[int, ...]]:
    """The shapes of weight_l [O, I] and bias_l [O] of each layer l, by name.

    >>> from packtrain.trainer.models.mlp import layout
    >>> layout([2, 10, 3], bias=False)
    {'weight_0': (10, 2), 'weight_1': (3, 10)}
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (features, outputs) in enumerate(pairwise(widths)):
        shapes[f"weight_{layer}"] = (outputs, features)
        if bias:
            shapes[f"bias_{layer}"] = (outputs,)
    return shapes


def initial_weights(widths: Sequence[int], bias: bool, seeds: Tensor, dtype: torch.dtype) -> Tensor:
    """The starting parameters [R, P]: uniform in +-1/sqrt(I), as in torch.nn.Linear, by each run's seed.

    >>> import torch
    >>> from packtrain.trainer.models.mlp import initial_weights
    >>> weights = initial_weights([4, 3], False, torch.tensor([0, 1]), torch.float32)
    >>> weights.shape, bool((weights.abs() <= 0.5).all())
    (torch.Size([2, 12]), True)
    """
    shapes = layout(widths, bias)
    sizes = [math.prod(shape) for shape in shapes.values()]
    parameters = torch.empty(len(seeds), sum(sizes), dtype=dtype, device=seeds.device)
    block, start = max(1, BLOCK // len(seeds)), 0
    for name, part in zip(shapes, parameters.split(sizes, 1), strict=True):
        # the bound as float32 has it
        bound = torch.tensor(widths[int(name.rpartition("_")[2])] ** -0.5).double()
        for some in part.split(block, 1):
            drawn = uniform(seeds, Purpose.INITIAL, start, start + some.shape[1], torch.float64)
            some.copy_((2 * drawn - 1) * bound)
            start += some.shape[1]
    return parameters
