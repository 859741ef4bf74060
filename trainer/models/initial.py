"""Where the parameters of equations start, within which bounds, and which of them are free."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ...kernels.language import Graph
from ...kernels.random import Purpose, latin_hypercube, uniform
from ..config.checks import UNSCALED
from ..config.data_values import AUTO, INITIAL
from ..config.pack import START, Pack
from ..config.schema import ModelConfig
from ..data.dataset import Dataset
from .auto import Search, found_starts
from .data_values import with_values

Range = tuple[float, float]  # low, high
UNSQUARED = UNSCALED  # losses whose outputs aren't like the targets


def starting_values(pack: Pack, graph: Graph, run: int, data: Dataset | None = None) -> dict[str, float]:
    """Where the parameters of one run start, to the last bit: parameter -> value. Raises UserError.

    `data` are needed where starts are values of the data, or are looked for.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.models.initial import starting_values
    >>> pack = Pack(Config(), {"seed": [0, 1], "model.initial.a": [2, 3], "model.initial.b": [5, 5]}, 2)
    >>> starting_values(pack, parse("xy = a*x + b"), 1)
    {'a': 3.0, 'b': 5.0}
    """
    alone = pack.of([run])
    values = initial_parameters(alone, graph, torch.tensor(alone.each("seed")), data)[0].tolist()
    return dict(zip(graph.parameters, values, strict=True))


def initial_parameters(pack: Pack, graph: Graph, seeds: Tensor, data: Dataset | None = None) -> Tensor:
    """The starting parameters [R, P] of equations, in float64, for a pack's `seeds` [R]. Raises UserError.

    Texts in model.initial are values of the `data`, of each run's own samples; where it says auto, a start is
    looked for.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.models.initial import initial_parameters
    >>> pack = Pack(Config(), {"model.initial.a": [2, 3]}, 2)
    >>> initial_parameters(pack, parse("xy = a*x"), torch.tensor([0, 0])).tolist()
    [[2.0], [3.0]]
    """
    config = pack.config.model
    starts = torch.tensor(pack.over.get(START, [0] * pack.runs), device=seeds.device)
    initial = with_values(given_starts(pack, graph), data)
    values = initial_values(config, graph, initial, draws(config, graph, seeds, starts))
    wanted = _looked_for(graph, initial)
    if not any(wanted):
        return values
    _check_auto(config, data)
    assert data is not None
    lower, upper = (torch.tensor(bound, dtype=torch.float64) for bound in bounds_of(config, graph))
    given, seeds, starts = values.cpu(), seeds.cpu(), starts.cpu()
    search = Search(given, torch.tensor(wanted), lower, upper, seeds, starts, config.starts)
    found = found_starts(graph, data, search)
    return found.where(found.isfinite(), given).to(values.device)


def given_starts(pack: Pack, graph: Graph) -> dict[str, list[Any]]:
    """What model.initial, and what varies of it, say of the parameters in each run.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.models.initial import given_starts
    >>> pack = Pack(Config(model=ModelConfig(initial="auto")), {"model.initial.a": [2, 3]}, 2)
    >>> given_starts(pack, parse("xy = a*x + b"))
    {'a': [2, 3], 'b': ['auto', 'auto']}
    """
    initial = pack.config.model.initial
    plain = dict.fromkeys(graph.parameters, AUTO) if initial == AUTO else initial
    varied = {path.removeprefix(INITIAL): v for path, v in pack.over.items() if path.startswith(INITIAL)}
    return {parameter: [value] * pack.runs for parameter, value in plain.items()} | varied


def read_the_data(initial: Mapping[str, Sequence[Any]]) -> bool:
    """Whether starts are values of the data, or are looked for.

    >>> from packtrain.trainer.models.initial import read_the_data
    >>> read_the_data({"a": [1, [2, 3]]}), read_the_data({"a": ["max(y)"]})
    (False, True)
    """
    starts = [start for of_runs in initial.values() for start in of_runs]
    ends = [end for start in starts for end in (start if isinstance(start, (list, tuple)) else [start])]
    return any(isinstance(end, str) for end in ends)


def starts_told(pack: Pack, graph: Graph | None, parameters: Tensor) -> tuple[str, ...]:
    """A sentence about the starts that were looked for, if any; `parameters` [R, P] are where the runs start.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.models.initial import starts_told
    >>> pack = Pack(Config(model=ModelConfig(initial="auto")), {}, 1)
    >>> starts_told(pack, parse("xy = a*x"), torch.tensor([[0.5]]))
    ('starts at a=0.5 (model.initial=auto)',)
    """
    if graph is None or not any(wanted := _looked_for(graph, given_starts(pack, graph))):
        return ()
    if pack.runs > 1:
        return ("where each run starts was looked for in its own data (model.initial=auto)",)
    values = zip(graph.parameters, parameters[0].tolist(), wanted, strict=True)
    shown = ", ".join(f"{parameter}={value:.4g}" for parameter, value, is_found in values if is_found)
    return (f"starts at {shown} (model.initial=auto)",)


def _looked_for(graph: Graph, initial: Mapping[str, Sequence[Any]]) -> list[bool]:
    """Which parameters start where a search says, [P]. Raises UserError."""
    wanted = [AUTO in initial.get(parameter, ()) for parameter in graph.parameters]
    for parameter, is_wanted in zip(graph.parameters, wanted, strict=True):
        if is_wanted and any(value != AUTO for value in initial[parameter]):
            raise UserError(f"{INITIAL}{parameter} is auto in all runs or in none")
        if is_wanted and parameter in graph.fixed:
            raise UserError(
                f"model.fixed keeps {parameter} where it starts, and model.initial doesn't say where: "
                f"set {INITIAL}{parameter}"
            )
    return wanted


def _check_auto(config: ModelConfig, data: Dataset | None) -> None:
    """Raises UserError where squared errors say nothing of a start."""
    if data is None:
        raise UserError("model.initial=auto looks for starts in the data, and there are none here")
    if config.loss in UNSQUARED or data.one_hot or not data.targets.is_floating_point():
        raise UserError(
            f"model.initial=auto looks for starts by squared errors, which model.loss={config.loss} isn't "
            "like: give numbers or ranges"
        )


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
