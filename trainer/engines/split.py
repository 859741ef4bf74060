"""How the samples of a step can be shared out among ranks, or why they can't."""

from dataclasses import dataclass

import torch

from ...kernels.least_squares.linearize import BLOCK, SQUARED
from ...kernels.sums.blocks import Cut, cut
from ..models.base import Model
from ..models.expression import ExpressionModel
from .ways import Task, Way

# The fewest samples of a block, by type of device: powers of 2, as dropout takes them.
EQUATIONS = {"cpu": 1 << 14, "cuda": 1 << 20}
LAYERS = {"cpu": 1 << 10, "cuda": 1 << 13}
QUICK = (
    "a step of equations takes about as long as its sums take to be gathered: sharing samples out pays for "
    "wide layers"
)
WORK = 1 << 26  # samples times parameters of a block of layers: less isn't worth a call


@dataclass(frozen=True)
class Split:
    """The `blocks` into which the samples of each step are cut, whatever the number of ranks.

    As many ranks can share them. `refusal` says why they can't be shared, '' where they can; `doubt` why it
    wouldn't pay, '' where it does.

    >>> Split(refusal="engine=fused makes many steps in one loop")
    Split(blocks=1, refusal='engine=fused makes many steps in one loop', doubt='')
    """

    blocks: int = 1
    refusal: str = ""
    doubt: str = ""


def cut_of(model: Model, samples: int) -> Cut:
    """The blocks in which a model's loss over a minibatch of so many samples, and its gradient, are computed.

    They depend on the model's kind and size, on the minibatch and on the type of device: never on R.

    >>> import torch
    >>> from packtrain.trainer.models.mlp import MLPModel
    >>> cut_of(MLPModel(torch.zeros(1, 2), [1, 1], True, "mse"), 16384).count
    1
    """
    if not model.adds_up:
        return Cut(samples, max(1, samples))
    parameters, is_graph = model.parameters, isinstance(model, ExpressionModel)
    return _cut(samples, is_graph, parameters.shape[1], parameters.device)


def _cut(samples: int, equations: bool, parameters: int, device: torch.device) -> Cut:
    place = "cuda" if device.type == "cuda" else "cpu"
    if equations:
        return cut(samples, EQUATIONS[place])
    work = 1 << max(0, WORK // max(1, parameters) - 1).bit_length()
    return cut(samples, max(LAYERS[place], work))


def split_of(task: Task, way: Way) -> Split:
    """How the samples of each step of `task` can be shared out, where it is trained in this `way`.

    >>> from packtrain.trainer.config.schema import Config, LoopConfig, ModelConfig
    >>> from packtrain.trainer.engines.ways import ways_of
    >>> model = ModelConfig("mlp", widths=[64, 1024, 1024, 10])
    >>> config = Config(model=model, loop=LoopConfig(batch_size="full"))
    >>> task = Task(config, None, torch.device("cpu"), torch.float32, samples=8192, outputs=10)
    >>> split_of(task, ways_of(task)[-1])
    Split(blocks=8, refusal='', doubt='')
    """
    if task.is_fit:
        return _of_fit(task, way)
    if way.engine == "fused":
        return Split(refusal="engine=fused makes many steps in one loop; engine=step shares samples out")
    model = task.config.model
    if task.graph is None and model.quantize and model.quantize_error == "add":
        return Split(
            refusal="model.quantize adds each sample's rounding error to its gradient, however large the "
            "minibatch, so that those of its parts don't add up; model.quantize_error=drop does"
        )
    blocks = _cut(task.batch, task.graph is not None, task.parameters, task.device)
    if blocks.count == 1:
        return Split(
            refusal=f"a minibatch of {task.batch:,} samples is one block: "
            f"one of more than {blocks.size:,} is cut into several"
        )
    return Split(blocks.count, doubt="" if task.graph is None else QUICK)


def _of_fit(task: Task, way: Way) -> Split:
    if way.engine == "fused":
        return Split(
            refusal="Numba fits from start to end in one loop; compute.backend=reference shares fits out"
        )
    parts = cut(task.samples, SQUARED if way.backend == "triton" else BLOCK)
    if parts.count == 1:
        return Split(refusal=f"a fit of up to {parts.size:,} samples is linearized in one part")
    return Split(parts.count)
