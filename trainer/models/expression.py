"""The expression model: a graph of equations, P learnable numbers a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kernels.errors import UserError, nearest
from kernels.expression import Graph, expression, expression_loss
from kernels.random import Purpose, uniform
from trainer.models.base import Model


class ExpressionModel(Model):
    """R sets of the graph's parameters; `grad_delta` asks for gradients by finite differences."""

    def __init__(self, graph: Graph, parameters: Tensor, loss: str, grad_delta: float | None) -> None:
        super().__init__(parameters, {p: () for p in graph.parameters}, loss)
        self.graph = graph
        self.grad_delta = grad_delta

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return expression_loss(self.graph, self.parameters, inputs, targets, self.loss_kind, self.grad_delta)

    def predict(self, inputs: Tensor) -> Tensor:
        return expression(self.graph, self.parameters, inputs)

    @property
    def width(self) -> int:
        return len(self.graph.program)

    @property
    def scalars(self) -> dict[str, int]:
        return {name: column for column, name in enumerate(self.layout)}


def initial_values(
    graph: Graph,
    seeds: Tensor,
    initial: Mapping[str, Sequence[Any]],
    default: Sequence[float],
    dtype: torch.dtype,
) -> Tensor:
    """The starting parameters [R, P]: a number where one is given, else drawn by the run's seed [R].

    `initial[name]` holds, for each run, a number or a range [low, high]; `default` is the range of
    parameters that are not in it. A parameter's draw depends on its seed and its place alone.
    """
    for word in initial:
        if word not in graph.parameters:
            raise UserError(
                f"model.initial: the equations have no parameter {word!r}"
                f"{nearest(word, graph.parameters)}; they have {', '.join(graph.parameters)}"
            )
    _low_high("model.initial_range", default)
    runs = len(seeds)
    bounds = [
        [_low_high(f"model.initial.{p}", each) for each in initial.get(p, [default] * runs)]
        for p in graph.parameters
    ]
    low, high = torch.tensor(bounds, dtype=torch.float64, device=seeds.device).unbind(-1)
    drawn = uniform(seeds, Purpose.INITIAL, 0, len(graph.parameters), torch.float64)
    return (low.T + drawn * (high - low).T).to(dtype)


def _low_high(field: str, given: Any) -> tuple[float, float]:
    values = list(given) if isinstance(given, (list, tuple)) else [given, given]
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if len(values) != 2 or not numeric or not -math.inf < values[0] <= values[1] < math.inf:
        raise UserError(f"{field} is a number or a range [low, high]; got {given!r}")
    return float(values[0]), float(values[1])
