"""The expression model: a graph of equations, P learnable numbers a run."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ...kernels.expression import expression, expression_loss, jacobian
from ...kernels.language import Graph
from ...kernels.random import Purpose, latin_hypercube, uniform
from ..config import schema
from .base import Model


class ExpressionModel(Model):
    """R sets of the graph's parameters; `grad_delta` asks for gradients by finite differences.

    Those are the reference's, whatever the backend.
    """

    def __init__(
        self,
        graph: Graph,
        parameters: Tensor,
        loss: str,
        grad_delta: float | None,
        backend: str = "reference",
    ) -> None:
        kept = backend if grad_delta is None else "reference"
        super().__init__(parameters, {p: () for p in graph.parameters}, loss, kept)
        self.graph = graph
        self.grad_delta = grad_delta

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        given = self.graph, self.parameters, inputs, targets, self.loss_kind
        return expression_loss(*given, self.grad_delta, self.backend)

    def predict(self, inputs: Tensor) -> Tensor:
        return expression(self.graph, self.parameters, inputs, self.backend)

    def jacobian(self, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return jacobian(self.graph, parameters, inputs)

    @property
    def width(self) -> int:
        return len(self.graph.program)

    @property
    def scalars(self) -> dict[str, int]:
        return {name: column for column, name in enumerate(self.layout)}


def initial_values(
    asked: schema.ModelConfig, graph: Graph, initial: Mapping[str, Sequence[Any]], drawn: Tensor
) -> Tensor:
    """The starting parameters [R, P]: a number where one is given, else drawn from a range.

    `initial[name]` holds, for each run, a number or a range [low, high]; the range of the others is
    model.initial_range. `drawn` [R, P], in [0, 1), says where in its range each lies.
    """
    check_names("model.initial", initial, graph)
    _low_high("model.initial_range", asked.initial_range)
    runs = len(drawn)
    ranges = {
        p: [_low_high(f"model.initial.{p}", each) for each in initial.get(p, [asked.initial_range] * runs)]
        for p in graph.parameters
    }
    _check_within(asked, graph, ranges)
    if asked.starts > 1 and all(low == high for each in ranges.values() for low, high in each):
        raise UserError(
            f"model.starts={asked.starts} draws starting points from ranges, and model.initial has none: "
            "give a range, as in 'model.initial={a: [0, 10]}'"
        )
    low, high = torch.tensor(list(ranges.values()), dtype=torch.float64, device=drawn.device).unbind(-1)
    return low.T + drawn * (high - low).T


def draws(asked: schema.ModelConfig, graph: Graph, seeds: Tensor, starts: Tensor) -> Tensor:
    """Where in its range each starting value lies: seeds and starts [R] -> [R, P] in [0, 1).

    A run's draw depends on its seed alone; of several starts, on which of how many it is: they are
    the points of a Latin hypercube.
    """
    size = len(graph.parameters)
    if asked.starts == 1:
        return uniform(seeds, Purpose.INITIAL, 0, size, torch.float64)
    different, which = seeds.unique(return_inverse=True)
    points = torch.stack([latin_hypercube(seed, asked.starts, size) for seed in different])
    return points[which, starts]


def bounds_of(asked: schema.ModelConfig, graph: Graph) -> tuple[list[float], list[float]]:
    """model.bounds: the least and the most value of each parameter."""
    check_names("model.bounds", asked.bounds, graph)
    found = [_bounds(p, asked.bounds.get(p, [None, None])) for p in graph.parameters]
    return [low for low, _ in found], [high for _, high in found]


def moving(graph: Graph) -> list[bool]:
    """Which parameters model.fixed leaves free; one at least."""
    found = [p not in graph.fixed for p in graph.parameters]
    if not any(found):
        raise UserError("model.fixed names every parameter, so there is nothing to fit")
    return found


def check_names(field: str, given: Iterable[str], graph: Graph) -> None:
    """Raises UserError for a name that is no parameter of the graph."""
    for word in given:
        if word not in graph.parameters:
            raise UserError(
                f"{field}: the equations have no parameter {word!r}"
                f"{nearest(word, graph.parameters)}; they have {', '.join(graph.parameters)}"
                + (f"; or {graph.declaring(word)}" if word in graph.inputs else "")
            )


def _check_within(
    asked: schema.ModelConfig, graph: Graph, ranges: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Fits start within their bounds."""
    for p, least, most in zip(graph.parameters, *bounds_of(asked, graph), strict=True):
        for low, high in ranges[p]:
            if low < least or high > most:
                value = f"{low:g}" if low == high else f"[{low:g}, {high:g}]"
                raise UserError(
                    f"model.bounds keeps {p} within [{least:g}, {most:g}], and it starts at {value}: "
                    f"set model.initial.{p}"
                )


def _bounds(parameter: str, given: Any) -> tuple[float, float]:
    values = list(given) if isinstance(given, (list, tuple)) else []
    numeric = all(v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values)
    if len(values) == 2 and numeric:
        low = -math.inf if values[0] is None else float(values[0])
        high = math.inf if values[1] is None else float(values[1])
        if low < high:
            return low, high
    raise UserError(f"model.bounds.{parameter} is [low, high] with low < high, null for none; got {given!r}")


def _low_high(field: str, given: Any) -> tuple[float, float]:
    values = list(given) if isinstance(given, (list, tuple)) else [given, given]
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if len(values) != 2 or not numeric or not -math.inf < values[0] <= values[1] < math.inf:
        raise UserError(f"{field} is a number or a range [low, high]; got {given!r}")
    return float(values[0]), float(values[1])
