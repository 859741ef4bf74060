"""Perceptrons to be exported, and what they give, written out once more."""

import importlib.util
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from packtrain.kernels.equations.activations import activation_of
from packtrain.trainer.export.perceptron import Layer, Perceptron

OURS = "z*sigmoid(1.702*z)", "s = tanh(z); where(z > 0, s, 0.1*s) + s^2", "erfc(-z)*min(z, 1)"
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "elu": F.elu,
    "softplus": lambda z: F.softplus(z, threshold=100),
    "leaky_relu": F.leaky_relu,
    "sin": torch.sin,
    OURS[0]: lambda z: z / (1 + torch.exp(-1.702 * z)),
    OURS[1]: lambda z: torch.where(z > 0, torch.tanh(z), 0.1 * torch.tanh(z)) + torch.tanh(z) ** 2,
    OURS[2]: lambda z: torch.erfc(-z) * z.clamp(max=1),
}
MEANS, STDS = (2000.0, -3.0, 0.5), (10.0, 0.25, 1.0)


def perceptron(
    activation: str = "relu",
    widths: Sequence[int] = (3, 5, 4, 2),
    bias: bool = True,
    quantized: Collection[int] = (),
    dtype: torch.dtype = torch.float32,
    loss: str = "mse",
    scaled: Collection[str] = ("inputs", "targets"),
) -> Perceptron:
    """With parameters that are drawn, and `scaled` inputs and targets."""
    drawn = torch.Generator().manual_seed(7)
    layers = []
    for place, (features, outputs) in enumerate(pairwise(widths)):
        weight = torch.randn(outputs, features, generator=drawn, dtype=dtype)
        layers.append(Layer(weight, weight.sum(1) / 2 if bias else None, place in quantized))
    sizes = {"inputs": widths[0], "targets": widths[-1]}
    scales: dict[str, Tensor] = {}
    for side in scaled:
        scales[f"{side}.mean"] = torch.tensor(MEANS[: sizes[side]], dtype=torch.float64)
        scales[f"{side}.std"] = torch.tensor(STDS[: sizes[side]], dtype=torch.float64)
    inputs = ("x", 'it\'s "x"', "\\n'''")[: widths[0]]
    outputs = tuple(f'"""{i}' for i in range(widths[-1]))
    return Perceptron(layers, activation_of(activation), inputs, outputs, loss, scales=scales)


def samples(model: Perceptron, size: int = 7) -> Tensor:
    """Inputs [B, V] in float64, in the model's units, as float32 has them."""
    drawn = torch.Generator().manual_seed(size)
    x = 2 * torch.randn(size, len(model.inputs), generator=drawn, dtype=torch.float64)
    if "inputs.mean" in model.scales:
        x = x * model.scales["inputs.std"] + model.scales["inputs.mean"]
    return x.float().double()


def expected(model: Perceptron, activation: str, inputs: Tensor, scales: Mapping[str, Tensor]) -> Tensor:
    """Outputs in float64."""
    x = (inputs - scales["inputs.mean"]) / scales["inputs.std"] if "inputs.mean" in scales else inputs
    for place, layer in enumerate(model.layers):
        x = ACTIVATIONS[activation](x) if place else x
        x = x.clamp(0, 255).floor() if layer.quantized else x
        x = F.linear(x, layer.weight.double(), None if layer.bias is None else layer.bias.double())
    return x * scales["targets.std"] + scales["targets.mean"] if "targets.mean" in scales else x


def written(files: Mapping[str, bytes], folder: Path, model: Perceptron) -> Path:
    """The folder that holds the files, and model.safetensors."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    save_file(dict(model.scales), folder / "model.safetensors")
    return folder


def module(file: Path) -> Any:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        spec.loader.exec_module(loaded)
    finally:
        sys.dont_write_bytecode = before
    return loaded
