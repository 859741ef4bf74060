"""An MLP for torch.nn.Sequential: its state_dict, and the Python that builds it and loads that."""

from collections.abc import Iterator
from pprint import pformat
from textwrap import indent

from safetensors.torch import save
from torch import nn

from ...kernels.common.errors import UserError
from ...kernels.elementwise.torch_source import torch_lines
from .network import Quantize, network
from .perceptron import Perceptron

QUANTIZE = '''

class Quantize(nn.Module):
    """To 8 bits and back: between 0 and 255, without the fraction."""

    def forward(self, x):
        return x.clamp(0, 255).trunc()
'''
ACTIVATION = '''

class Activation(nn.Module):
    """model.activation of config.yaml."""

    def forward(self, z):
'''
SOURCE = '''\
"""A multilayer perceptron in torch, written by Packtrain.

network() is what was trained. Model() takes inputs [B, {features}] and gives outputs [B, {targets}]
in their own units.
{about}"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

FOLDER = Path(__file__).parent
INPUTS = {input_names}
{what} = {output_names}
{modules}

def network():
    """The layers with their parameters."""
    layers = {sequential}
    layers.load_state_dict(load_file(FOLDER / "state_dict.safetensors"))
    return layers


class Model(nn.Module):
    """Outputs for inputs of any precision, both in their own units."""

    def __init__(self):
        super().__init__()
        self.network = network()
{buffers}
    def forward(self, inputs):
{steps}
'''


def state_dict_files(perceptron: Perceptron) -> dict[str, bytes]:
    """file -> its content. Raises UserError where torch has no function for the activation's equation.

    >>> import torch
    >>> from packtrain.kernels.equations.activations import activation_of
    >>> from packtrain.trainer.export.torch_source import state_dict_files
    >>> from packtrain.trainer.export.perceptron import Layer, Perceptron
    >>> layers = [Layer(torch.ones(1, 2), None, False)]
    >>> model = Perceptron(layers, activation_of("relu"), ("a", "b"), ("y",), "mse")
    >>> list(state_dict_files(model))
    ['state_dict.safetensors', 'model.py']
    """
    layers = network(perceptron)
    tensors = {name: part.contiguous() for name, part in layers.state_dict().items()}
    return {
        "state_dict.safetensors": save(tensors),
        "model.py": _source(perceptron, layers).encode(),
    }


def _source(perceptron: Perceptron, layers: nn.Sequential) -> str:
    """The text of model.py. Raises UserError: see `state_dict_files`."""
    about = "".join(f"{sentence}\n" for sentence in perceptron.about)
    return SOURCE.format(
        features=len(perceptron.inputs),
        targets=perceptron.targets,
        about=f"\n{about}" if about else "",
        input_names=listed(perceptron.inputs),
        what="CLASSES" if perceptron.of_classes else "OUTPUTS",
        output_names=listed(perceptron.outputs),
        modules="".join(_classes(perceptron, layers)),
        sequential=indent(sequential_source(perceptron, layers), "    ").lstrip(),
        buffers="".join(_buffers(perceptron)),
        steps=indent("\n".join(_steps(perceptron)), " " * 8),
    )


def listed(names: tuple[str, ...]) -> str:
    """The names as a list of Python, a line or several.

    >>> from packtrain.trainer.export.torch_source import listed
    >>> listed(("a", "it's"))
    '[\\'a\\', "it\\'s"]'
    """
    return pformat([*names], width=108, compact=True)


def sequential_source(perceptron: Perceptron, layers: nn.Sequential) -> str:
    """The text of torch.nn.Sequential(...) with these modules.

    >>> import torch
    >>> from packtrain.kernels.equations.activations import activation_of
    >>> from packtrain.trainer.export.network import network
    >>> from packtrain.trainer.export.perceptron import Layer, Perceptron
    >>> from packtrain.trainer.export.torch_source import sequential_source
    >>> layers = [Layer(torch.ones(1, 2), None, False)]
    >>> model = Perceptron(layers, activation_of("relu"), ("a", "b"), ("y",), "mse")
    >>> print(sequential_source(model, network(model)))
    nn.Sequential(
        nn.Linear(in_features=2, out_features=1, bias=False),
    )
    """
    texts = [f"    {_class(module)}{module!r},\n" for module in layers]
    double = ".double()" if perceptron.precision == "float64" else ""
    return f"nn.Sequential(\n{''.join(texts)}){double}"


def _class(module: nn.Module) -> str:
    return "nn." if type(module).__module__.startswith("torch.nn.") else ""


def _classes(perceptron: Perceptron, layers: nn.Sequential) -> Iterator[str]:
    """The classes of modules that torch.nn lacks."""
    if any(isinstance(module, Quantize) for module in layers):
        yield QUANTIZE
    if perceptron.activation.module is None and len(perceptron.layers) > 1:
        lines = torch_lines(perceptron.activation.value)
        if lines is None:
            raise UserError(
                "format=state_dict: torch has no name for a function of model.activation; "
                "take format=numpy, torch or onnx"
            )
        yield (
            ACTIVATION + "".join(f"        {name} = {text}\n" for name, text in lines) + "        return a\n"
        )


def _buffers(perceptron: Perceptron) -> Iterator[str]:
    if perceptron.scales:
        yield '        scales = load_file(FOLDER / "model.safetensors")\n'
    for name in perceptron.scales:
        yield f'        self.register_buffer("{name.replace(".", "_")}", scales["{name}"])\n'


def _steps(perceptron: Perceptron) -> Iterator[str]:
    x, to = "inputs", f"to(torch.{perceptron.precision})"
    if "inputs.mean" in perceptron.scales:
        yield "x = (inputs - self.inputs_mean) / self.inputs_std"
        x = "x"
    if "targets.mean" in perceptron.scales:
        yield f"y = self.network({x}.{to})"
        yield "return y * self.targets_std + self.targets_mean"
    else:
        yield f"return self.network({x}.{to})"
