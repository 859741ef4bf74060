"""An MLP as modules of torch: the layers as torch.nn.Sequential, and the whole in its user's units."""

from collections.abc import Iterator

from torch import Tensor, nn

from ...kernels.elementwise.reference import evaluate
from ...kernels.equations.activations import Z
from ...kernels.language.expr import Expr, walk
from ...kernels.quantize.reference import quantize_reference
from .perceptron import Layer, Perceptron


class Quantize(nn.Module):
    """y = uint8(x): see `quantize`."""

    def forward(self, x: Tensor) -> Tensor:
        """y."""
        return quantize_reference(x)[0]


class Activation(nn.Module):
    """a = f(z), by an equation that is no module of torch.nn."""

    def __init__(self, value: Expr) -> None:
        super().__init__()
        self.value, self.program = value, walk(value)

    def forward(self, z: Tensor) -> Tensor:
        """a."""
        evaluate(self.program, values := {Z: z})
        return values[self.value]


class InUnits(nn.Module):
    """Outputs [B, T] for inputs [B, V] in their user's units, both in the type of the parameters."""

    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self.network = network(perceptron)
        for name, scale in perceptron.scales.items():
            self.register_buffer(name.replace(".", "_"), scale.to(perceptron.dtype))

    def forward(self, inputs: Tensor) -> Tensor:
        """Standardizes, applies the layers, and undoes it."""
        scales = dict(self.named_buffers(recurse=False))
        x = (inputs - scales["inputs_mean"]) / scales["inputs_std"] if "inputs_std" in scales else inputs
        y = self.network(x)
        return y * scales["targets_std"] + scales["targets_mean"] if "targets_std" in scales else y


def network(perceptron: Perceptron) -> nn.Sequential:
    """The layers with an activation between them, and Quantize before those whose input is quantized.

    >>> import torch
    >>> from packtrain.kernels.equations.activations import activation_of
    >>> from packtrain.trainer.export.network import network
    >>> from packtrain.trainer.export.perceptron import Layer, Perceptron
    >>> layers = [Layer(torch.ones(3, 2), None, False), Layer(torch.ones(1, 3), torch.ones(1), False)]
    >>> list(network(Perceptron(layers, activation_of("tanh"), ("a", "b"), ("y",), "mse")).state_dict())
    ['0.weight', '2.weight', '2.bias']
    """
    return nn.Sequential(*_modules(perceptron)).requires_grad_(False)


def _modules(perceptron: Perceptron) -> Iterator[nn.Module]:
    for place, layer in enumerate(perceptron.layers):
        if place:
            module = perceptron.activation.module
            yield getattr(nn, module)() if module else Activation(perceptron.activation.value)
        if layer.quantized:
            yield Quantize()
        yield _linear(layer)


def _linear(layer: Layer) -> nn.Linear:
    """A Linear with these parameters, for which none are drawn."""
    outputs, features = layer.weight.shape
    linear = nn.Linear(features, outputs, layer.bias is not None, device="meta")
    linear.weight = nn.Parameter(layer.weight)
    if layer.bias is not None:
        linear.bias = nn.Parameter(layer.bias)
    return linear
