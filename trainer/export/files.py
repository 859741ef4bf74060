"""All files of an exported run, and what is said of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from safetensors.torch import save

from ...kernels.common.errors import UserError, nearest
from ..folder.trained import Trained
from ..models.expression import ExpressionModel
from .equations import equation_texts
from .graph import onnx_files, torch_files
from .network import network
from .numpy_source import numpy_files
from .perceptron import Perceptron, perceptron_of, scales_of
from .torch_source import sequential_source, state_dict_files

FORMATS: dict[str, Callable[[Perceptron], dict[str, bytes]]] = {
    "state_dict": state_dict_files,
    "numpy": numpy_files,
    "torch": torch_files,
    "onnx": onnx_files,
}
USUAL = "state_dict", "numpy"  # where no format is asked for


@dataclass(frozen=True)
class Files:
    """file -> content: of the `parameters`, and of all else; and `texts` for people."""

    parameters: dict[str, bytes]
    contents: dict[str, bytes]
    texts: list[str]


def exported(
    trained: Trained, run: int, about: dict[str, dict], formats: Sequence[str] | None = None
) -> Files:
    """The files of one run: its parameters, and its equations or, of an MLP, those of each of `formats`.

    `about` is what is known of the parameters. Raises UserError.

    >>> import torch
    >>> from packtrain.trainer.export.files import exported
    >>> from packtrain.trainer.folder.trained import Trained
    >>> from packtrain.trainer.models.mlp import MLPModel
    >>> model = MLPModel(torch.ones(1, 2), [1, 1], True, "mse")
    >>> files = exported(Trained(model, {"best_run": 0}, ("x",), ("y",), None, None), 0, {}, ["numpy"])
    >>> list(files.contents)
    ['predict.py', 'predict.npz']
    """
    _check(trained, formats)
    parameters = {"model.safetensors": _parameters(trained, run)}
    if isinstance(trained.model, ExpressionModel):
        texts = equation_texts(trained, run, about)
        written = {file: text.encode() for file, text in texts.items()}
        return Files(parameters, written, [texts["equations.txt"]])
    perceptron = perceptron_of(trained, run)
    files, notes = {}, []
    for name in formats or USUAL:
        try:
            files |= FORMATS[name](perceptron)
        except UserError as error:
            if formats:
                raise
            notes.append(f"note: {error}")
    layers = sequential_source(perceptron, network(perceptron))
    return Files(parameters, files, [layers, *perceptron.about, *notes])


def _check(trained: Trained, formats: Sequence[str] | None) -> None:
    """Raises UserError for a format that isn't there."""
    if formats and isinstance(trained.model, ExpressionModel):
        raise UserError(
            "format=... is of MLPs; equations are always written as text, LaTeX and a function of NumPy"
        )
    for name in formats or ():
        if name not in FORMATS:
            raise UserError(f"format is one of {', '.join(FORMATS)}; got {name!r}{nearest(name, FORMATS)}")


def _parameters(trained: Trained, run: int) -> bytes:
    """The run's parameters by name, without the axis of runs, and what it was standardized with."""
    tensors = {name: part[run].contiguous() for name, part in trained.parameters().items()}
    about = {"inputs": trained.inputs, "targets": trained.targets}
    return save(tensors | scales_of(trained), {"packtrain": json.dumps(about)})
