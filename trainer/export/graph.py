"""An MLP as a graph of operations: torch.export's and ONNX."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO

import torch
from torch.export import Dim, ExportedProgram

from ...kernels.common.errors import UserError
from .network import InUnits
from .perceptron import Perceptron

INPUTS, OUTPUTS = "inputs", "outputs"  # as ONNX names them
LOGGER = "torch.onnx._internal.exporter._registration"  # tells of each library that isn't there


def torch_files(perceptron: Perceptron) -> dict[str, bytes]:
    """model.pt2, which torch.export.load reads.

    >>> import torch
    >>> from packtrain.kernels.equations.activations import activation_of
    >>> from packtrain.trainer.export.graph import torch_files
    >>> from packtrain.trainer.export.perceptron import Layer, Perceptron
    >>> layers = [Layer(torch.ones(1, 2), None, False)]
    >>> model = Perceptron(layers, activation_of("relu"), ("a", "b"), ("y",), "mse")
    >>> list(torch_files(model))
    ['model.pt2']
    """
    torch.export.save(_exported(perceptron), archive := BytesIO())
    return {"model.pt2": archive.getvalue()}


def onnx_files(perceptron: Perceptron) -> dict[str, bytes]:
    """model.onnx, in float32, since runtimes lack functions of float64. Raises UserError without onnx."""
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise UserError(f"format=onnx needs {package}: pip install 'packtrain[onnx]'")
    with _quiet():
        program = torch.onnx.export(
            _exported(perceptron.to(torch.float32)),
            input_names=[INPUTS],
            output_names=[OUTPUTS],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return {"model.onnx": program.model_proto.SerializeToString()}


def _exported(perceptron: Perceptron) -> ExportedProgram:
    """The graph outputs(inputs) of any number of samples."""
    example = torch.zeros(2, len(perceptron.inputs), dtype=perceptron.dtype)
    return torch.export.export(InUnits(perceptron), (example,), dynamic_shapes={INPUTS: {0: Dim("samples")}})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch from telling what is no concern of the user's."""
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
