"""Where the parameters of equations start, within which bounds, and which of them are free."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ...kernels.language import Graph
from ...kernels.random import Purpose, latin_hypercube, uniform
from ..config.data_values import AUTO, INITIAL
from ..config.schema import ModelConfig

Range = tuple[float, float]  # low, high


def initial_values(
    config: ModelConfig, graph: Graph, initial: Mapping[str, Sequence[Any]], drawn: Tensor
) -> Tensor:
    """low + drawn (high - low): the starting parameters [R, P], in float64.

    `initial[name]` holds, for each run, a number or a range [low, high]; the range of the others is
    model.initial_range. `drawn` [R, P], in [0, 1), says where in its range each lies. Raises UserError.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.initial import initial_values
    >>> drawn = torch.tensor([[0.5, 0.25]])
    >>> initial_values(ModelConfig("expression"), parse("xy = a*x + b"), {"a": [[10, 20]]}, drawn).tolist()
    [[15.0, 0.25]]
    """
    check_names("model.initial", initial, graph)
    _low_high("model.initial_range", config.initial_range)
    default = [config.initial_range] * len(drawn)
    ranges = {
        parameter: _ranges(f"{INITIAL}{parameter}", initial.get(parameter, default))
        for parameter in graph.parameters
        if AUTO not in initial.get(parameter, ())
    }
    _check_within(config, graph, ranges)
    anywhere = len(ranges) < len(graph.parameters)
    if config.starts > 1 and not anywhere and all(a == b for runs in ranges.values() for a, b in runs):
        raise UserError(
            f"model.starts={config.starts} draws starting points from ranges, and model.initial has none: "
            "give a range, as in 'model.initial={a: [0, 10]}'"
        )
    of_auto = _ranges("model.initial_range", default)
    of_all = [ranges.get(parameter, of_auto) for parameter in graph.parameters]
    low, high = torch.tensor(of_all, dtype=torch.float64, device=drawn.device).unbind(-1)
    return low.T + drawn * (high - low).T


def draws(config: ModelConfig, graph: Graph, seeds: Tensor, starts: Tensor) -> Tensor:
    """Where in its range each starting value lies: seeds and starts [R] -> [R, P] in [0, 1).

    A run's draw depends on its seed alone. With model.starts > 1 it also depends on which start the run is:
    the starts of one seed are the points of a Latin hypercube.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.initial import draws
    >>> config, graph = ModelConfig("expression", starts=4), parse("xy = a*x + b")
    >>> points = draws(config, graph, torch.tensor([7, 7, 7, 7]), torch.tensor([0, 1, 2, 3]))
    >>> sorted((points[:, 0] * 4).int().tolist())
    [0, 1, 2, 3]
    """
    size = len(graph.parameters)
    if config.starts == 1:
        return uniform(seeds, Purpose.INITIAL, 0, size, torch.float64)
    different, which = seeds.unique(return_inverse=True)
    points = torch.stack([latin_hypercube(seed, config.starts, size) for seed in different])
    return points[which, starts]


def bounds_of(config: ModelConfig, graph: Graph) -> tuple[list[float], list[float]]:
    """model.bounds: the lower and the upper bound of each parameter, [P] each. Raises UserError.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.initial import bounds_of
    >>> bounds_of(ModelConfig("expression", bounds={"a": [0, None]}), parse("xy = a*x + b"))
    ([0.0, -inf], [inf, inf])
    """
    check_names("model.bounds", config.bounds, graph)
    bounds = [
        _bounds(parameter, config.bounds.get(parameter, [None, None])) for parameter in graph.parameters
    ]
    return [low for low, _ in bounds], [high for _, high in bounds]


def free_parameters(graph: Graph) -> list[bool]:
    """Which parameters model.fixed leaves free, [P]. Raises UserError where it leaves none.

    >>> from dataclasses import replace
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.initial import free_parameters
    >>> free_parameters(replace(parse("xy = a*x + b"), fixed=frozenset(["a"])))
    [False, True]
    """
    free = [parameter not in graph.fixed for parameter in graph.parameters]
    if not any(free):
        raise UserError("model.fixed names every parameter, so there is nothing to fit")
    return free


def check_names(field: str, names: Iterable[str], graph: Graph) -> None:
    """Raises UserError for a name in `field` that is no parameter of the graph.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.initial import check_names
    >>> check_names("model.fixed", ["b"], parse("xy = a*x"))
    Traceback (most recent call last):
    packtrain.kernels.common.errors.UserError: model.fixed: the equations have no parameter 'b'; they have a
    """
    for word in names:
        if word not in graph.parameters:
            raise UserError(
                f"{field}: the equations have no parameter {word!r}"
                f"{nearest(word, graph.parameters)}; they have {', '.join(graph.parameters)}"
                + (f"; or {graph.declaring(word)}" if word in graph.inputs else "")
            )


def _check_within(config: ModelConfig, graph: Graph, ranges: Mapping[str, Sequence[Range]]) -> None:
    """Raises UserError where a run would start outside its bounds."""
    for parameter, least, most in zip(graph.parameters, *bounds_of(config, graph), strict=True):
        for low, high in ranges.get(parameter, ()):
            if low < least or high > most:
                value = f"{low:g}" if low == high else f"[{low:g}, {high:g}]"
                raise UserError(
                    f"model.bounds keeps {parameter} within [{least:g}, {most:g}], and it starts at {value}: "
                    f"set model.initial.{parameter}"
                )


def _bounds(parameter: str, given: Any) -> Range:
    values = list(given) if isinstance(given, (list, tuple)) else []
    if len(values) == 2 and all(value is None or _is_number(value) for value in values):
        low = -math.inf if values[0] is None else float(values[0])
        high = math.inf if values[1] is None else float(values[1])
        if low < high:
            return low, high
    raise UserError(f"model.bounds.{parameter} is [low, high] with low < high, null for none; got {given!r}")


def _ranges(field: str, given: Sequence[Any]) -> list[Range]:
    """The range of every run; that of runs which share one is read once."""
    read: dict[int, Range] = {}
    for value in given:
        if id(value) not in read:
            read[id(value)] = _low_high(field, value)
    return [read[id(value)] for value in given]


def _low_high(field: str, given: Any) -> Range:
    """The range that a number or a range is."""
    values = list(given) if isinstance(given, (list, tuple)) else [given, given]
    if (
        len(values) != 2
        or not all(map(_is_number, values))
        or not -math.inf < values[0] <= values[1] < math.inf
    ):
        raise UserError(f"{field} is a number or a range [low, high]; got {given!r}")
    return float(values[0]), float(values[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
