"""The weights and biases of a multilayer perceptron, and where they start."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ...kernels.random import Purpose, normal, uniform

BLOCK = 1 << 20  # numbers drawn at a time

Draw = Callable[[Tensor, Purpose, int, int, torch.dtype], Tensor]


def symmetric(seed: Tensor, purpose: Purpose, start: int, stop: int, dtype: torch.dtype) -> Tensor:
    """U[-1, 1): as `uniform`.

    >>> import torch
    >>> from packtrain.kernels.random import Purpose
    >>> from packtrain.trainer.models.weights import symmetric
    >>> symmetric(torch.tensor(0), Purpose.INITIAL, 0, 99, torch.float64).abs().max() <= 1
    tensor(True)
    """
    return 2 * uniform(seed, purpose, start, stop, dtype) - 1


@dataclass(frozen=True)
class Init:
    """Numbers drawn by `draw`, times scale(I, O) of a layer; biases are drawn too, or 0."""

    draw: Draw
    scale: Callable[[int, int], float]
    biases: bool = False


INITS: dict[str, Init] = {
    # torch.nn.Linear's; the bound as float32 has it
    "default": Init(symmetric, lambda i, o: torch.tensor(i**-0.5, dtype=torch.float32).item(), biases=True),
    "he": Init(normal, lambda i, o: math.sqrt(2 / i)),  # torch.nn.init.kaiming_normal_, of ReLU
    "xavier": Init(symmetric, lambda i, o: math.sqrt(6 / (i + o))),  # torch.nn.init.xavier_uniform_
    "normal": Init(normal, lambda i, o: i**-0.5),  # sums of I inputs keep their variance
}


def layout(widths: Sequence[int], bias: bool) -> dict[str, tuple[int, ...]]:
    """The shapes of weight_l [O, I] and bias_l [O] of each layer l, by name.

    >>> from packtrain.trainer.models.weights import layout
    >>> layout([2, 10, 3], bias=False)
    {'weight_0': (10, 2), 'weight_1': (3, 10)}
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (features, outputs) in enumerate(pairwise(widths)):
        shapes[f"weight_{layer}"] = (outputs, features)
        if bias:
            shapes[f"bias_{layer}"] = (outputs,)
    return shapes


def initial_weights(
    widths: Sequence[int], bias: bool, seeds: Tensor, dtype: torch.dtype, init: str = "default"
) -> Tensor:
    """The starting parameters [R, P], by each run's seed alone; `init` is one of INITS.

    Weights are uniform in +-1/sqrt(I), and biases too, as in torch.nn.Linear (default); normal of the
    deviation sqrt(2/I) (he); uniform in +-sqrt(6/(I + O)) (xavier); or normal of the deviation 1/sqrt(I)
    (normal). But for the default's, biases are 0.

    >>> import torch
    >>> from packtrain.trainer.models.weights import initial_weights
    >>> weights = initial_weights([4, 3], False, torch.tensor([0, 1]), torch.float32)
    >>> weights.shape, bool((weights.abs() <= 0.5).all())
    (torch.Size([2, 12]), True)
    """
    shapes, rule = layout(widths, bias), INITS[init]
    sizes = [math.prod(shape) for shape in shapes.values()]
    parameters = torch.zeros(len(seeds), sum(sizes), dtype=dtype, device=seeds.device)
    block, start = max(1, BLOCK // len(seeds)), 0
    for name, part in zip(shapes, parameters.split(sizes, 1), strict=True):
        kind, _, layer = name.rpartition("_")
        scale = rule.scale(widths[int(layer)], widths[int(layer) + 1])
        for some in part.split(block, 1):
            stop = start + some.shape[1]
            if rule.biases or kind == "weight":
                some.copy_(rule.draw(seeds, Purpose.INITIAL, start, stop, torch.float64) * scale)
            start = stop
    return parameters
