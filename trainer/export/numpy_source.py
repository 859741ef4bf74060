"""An MLP as a Python function of NumPy's arrays, and its weights."""

from collections.abc import Iterator
from io import BytesIO
from textwrap import indent
from typing import Any

import numpy as np
from torch import Tensor

from ...kernels.language.expr import walk, written_lines
from ...kernels.language.notation import Notation, call
from ...kernels.language.numpy_source import NUMPY, SPECIAL
from .perceptron import Perceptron
from .torch_source import listed

OF_MATH = "erf", "erfc", "lgamma"  # that NumPy lacks, and Python has
NOTATION: Notation = {**NUMPY, **{function: call(function) for function in OF_MATH}}
SOURCE = '''\
"""A multilayer perceptron in NumPy, written by Packtrain: predict(inputs).
{about}"""

{imports}

INPUTS = {input_names}
{what} = {output_names}
WEIGHTS = dict(np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False))
{functions}

@np.errstate(all="ignore")  # of values that overflow, or that are not taken
def predict(inputs):
    """Outputs [B, {targets}] for inputs [B, {features}], both in their own units."""
{steps}
'''
SOFTMAX = '''

def probabilities(inputs):
    """The probability of each class, [B, C]."""
    y = predict(inputs)
    y = np.exp(y - y.max(-1, keepdims=True))
    return y / y.sum(-1, keepdims=True)


def classes(inputs):
    """The most probable class of each sample, [B]."""
    return np.array(CLASSES)[predict(inputs).argmax(-1)]
'''
SIGMOID = '''

@np.errstate(over="ignore")
def probabilities(inputs):
    """The probability of a 1, for each output."""
    return 1 / (1 + np.exp(-predict(inputs)))
'''


def numpy_files(perceptron: Perceptron) -> dict[str, bytes]:
    """file -> its content.

    >>> import torch
    >>> from packtrain.kernels.equations.activations import activation_of
    >>> from packtrain.trainer.export.numpy_source import numpy_files
    >>> from packtrain.trainer.export.perceptron import Layer, Perceptron
    >>> layers = [Layer(torch.ones(1, 2), None, False)]
    >>> model = Perceptron(layers, activation_of("relu"), ("a", "b"), ("y",), "mse")
    >>> list(numpy_files(model))
    ['predict.py', 'predict.npz']
    """
    arrays: dict[str, Any] = {name: part.numpy() for name, part in _weights(perceptron)}
    np.savez(weights := BytesIO(), **arrays)
    return {"predict.py": perceptron_source(perceptron).encode(), "predict.npz": weights.getvalue()}


def perceptron_source(perceptron: Perceptron) -> str:
    """The text of predict.py. It imports NumPy, and SciPy where an activation has a function of it.

    >>> import torch
    >>> from packtrain.kernels.equations.activations import activation_of
    >>> from packtrain.trainer.export.numpy_source import perceptron_source
    >>> from packtrain.trainer.export.perceptron import Layer, Perceptron
    >>> layers = [Layer(torch.ones(3, 2), None, False), Layer(torch.ones(1, 3), torch.ones(1), False)]
    >>> text = perceptron_source(Perceptron(layers, activation_of("tanh"), ("a", "b"), ("y",), "mse"))
    >>> print(*text.splitlines()[-6:], sep="\\n")
        x = np.asarray(inputs, float)
        x = x.astype(np.float32)
        z = x @ WEIGHTS["weight_0"].T
        x = np.tanh(z)
        z = x @ WEIGHTS["weight_1"].T + WEIGHTS["bias_1"]
        return z
    """
    needs = {part.op for part in walk(perceptron.activation.value)} if len(perceptron.layers) > 1 else set()
    about = "".join(f"{sentence}\n" for sentence in perceptron.about)
    source = SOURCE.format(
        about=f"\n{about}" if about else "",
        imports="\n".join(_imports(needs)),
        input_names=listed(perceptron.inputs),
        what="CLASSES" if perceptron.of_classes else "OUTPUTS",
        output_names=listed(perceptron.outputs),
        functions="".join(_functions(needs)),
        features=len(perceptron.inputs),
        targets=perceptron.targets,
        steps=indent("\n".join(_steps(perceptron)), "    "),
    )
    return source + (SOFTMAX if perceptron.of_classes else SIGMOID if perceptron.of_probabilities else "")


def _weights(perceptron: Perceptron) -> Iterator[tuple[str, Tensor]]:
    yield from perceptron.scales.items()
    for place, layer in enumerate(perceptron.layers):
        yield f"weight_{place}", layer.weight
        if layer.bias is not None:
            yield f"bias_{place}", layer.bias


def _imports(needs: set[str]) -> Iterator[str]:
    if needs & {*OF_MATH}:
        yield "import math"
    yield "from pathlib import Path"
    yield ""
    yield "import numpy as np"
    if needs & (SPECIAL.keys() - {*OF_MATH}):
        yield "from scipy import special"


def _functions(needs: set[str]) -> Iterator[str]:
    for function in OF_MATH:
        if function in needs:
            yield f"{function} = np.vectorize(math.{function}, otypes=[float])\n"


def _steps(perceptron: Perceptron) -> Iterator[str]:
    yield "x = np.asarray(inputs, float)"
    if "inputs.mean" in perceptron.scales:
        yield 'x = (x - WEIGHTS["inputs.mean"]) / WEIGHTS["inputs.std"]'
    yield f"x = x.astype(np.{perceptron.precision})"
    for place, layer in enumerate(perceptron.layers):
        if place:
            lines = written_lines(perceptron.activation.value, NOTATION, "x", "part")
            yield from (f"{name} = {text}" for name, text in lines)
        if layer.quantized:
            yield "x = np.trunc(np.clip(x, 0, 255))"
        bias = f' + WEIGHTS["bias_{place}"]' if layer.bias is not None else ""
        yield f'z = x @ WEIGHTS["weight_{place}"].T{bias}'
    rescaled = ' * WEIGHTS["targets.std"] + WEIGHTS["targets.mean"]'
    yield f"return z{rescaled if 'targets.mean' in perceptron.scales else ''}"
