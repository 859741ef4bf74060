"""Where runs start: at numbers, at values of their data, or where a search says."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.language import Graph
from ..config.checks import UNSCALED
from ..config.data_values import AUTO, INITIAL
from ..config.pack import START, Pack
from ..config.schema import ModelConfig
from ..data.dataset import Dataset
from .auto import Search, found_starts
from .data_values import with_values
from .initial import bounds_of, draws, initial_values

UNSQUARED = UNSCALED  # losses whose outputs aren't like the targets


def starting_values(pack: Pack, graph: Graph, run: int, data: Dataset | None = None) -> dict[str, float]:
    """Where the parameters of one run start, to the last bit: parameter -> value. Raises UserError.

    `data` are needed where starts are values of the data, or are looked for.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.models.starts import starting_values
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
    >>> from packtrain.trainer.models.starts import initial_parameters
    >>> pack = Pack(Config(), {"model.initial.a": [2, 3]}, 2)
    >>> initial_parameters(pack, parse("xy = a*x"), torch.tensor([0, 0])).tolist()
    [[2.0], [3.0]]
    """
    config = pack.config.model
    starts = torch.tensor(pack.over.get(START, [0] * pack.runs), device=seeds.device)
    drawn, given = draws(config, graph, seeds, starts), given_starts(pack, graph)
    values = initial_values(config, graph, _numbers_alone(given), drawn)
    of_data = {name: starts for name, starts in given.items() if AUTO not in starts and reads_data(starts)}
    _fill_in(values, config, graph, with_values(of_data, data), drawn)
    wanted = _looked_for(graph, given)
    if not any(wanted):
        return values
    _check_auto(config, data)
    assert data is not None
    lower, upper = _bounds(config, graph)
    values, seeds, starts = values.cpu(), seeds.cpu(), starts.cpu()
    search = Search(values, torch.tensor(wanted), lower, upper, seeds, starts, config.starts)
    found = found_starts(graph, data, search)
    return found.where(found.isfinite(), values).to(drawn.device)


def _numbers_alone(given: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The starts of parameters that are numbers in all runs; auto in the place of others."""
    return {name: [AUTO] if reads_data(starts) else starts for name, starts in given.items()}


def _fill_in(
    values: Tensor, config: ModelConfig, graph: Graph, given: Mapping[str, Sequence[Any]], drawn: Tensor
) -> None:
    """Writes the values of the data into the starts [R, P], within their bounds. Raises UserError.

    A run whose own data give no number has NaN; where none gives one, it is refused.
    """
    lower, upper = _bounds(config, graph)
    for name, of_runs in given.items():
        k = graph.parameters.index(name)
        ends = [start if isinstance(start, (list, tuple)) else (start, start) for start in of_runs]
        low, high = torch.tensor(ends, dtype=torch.float64, device=drawn.device).unbind(1)
        own = (low + drawn[:, k] * (high - low)).clamp(lower[k].item(), upper[k].item())
        if not own.isfinite().any():
            raise UserError(f"{INITIAL}{name} is no finite number in these data: {of_runs[0]}")
        values[:, k] = own.where(own.isfinite(), torch.nan)


def _bounds(config: ModelConfig, graph: Graph) -> tuple[Tensor, Tensor]:
    """model.bounds as tensors [P]."""
    lower, upper = bounds_of(config, graph)
    return torch.tensor(lower, dtype=torch.float64), torch.tensor(upper, dtype=torch.float64)


def given_starts(pack: Pack, graph: Graph) -> dict[str, list[Any]]:
    """What model.initial, and what varies of it, say of the parameters in each run.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.models.starts import given_starts
    >>> pack = Pack(Config(model=ModelConfig(initial="auto")), {"model.initial.a": [2, 3]}, 2)
    >>> given_starts(pack, parse("xy = a*x + b"))
    {'a': [2, 3], 'b': ['auto', 'auto']}
    """
    initial = pack.config.model.initial
    plain = dict.fromkeys(graph.parameters, AUTO) if initial == AUTO else initial
    varied = {path.removeprefix(INITIAL): v for path, v in pack.over.items() if path.startswith(INITIAL)}
    return {parameter: [value] * pack.runs for parameter, value in plain.items()} | varied


def reads_data(starts: Sequence[Any]) -> bool:
    """Whether some of a parameter's starts are values of the data, or are looked for.

    >>> from packtrain.trainer.models.starts import reads_data
    >>> reads_data([1, [2, 3]]), reads_data(["max(y)"]), reads_data([[0, "max(y)"]])
    (False, True, True)
    """
    ends = [end for start in starts for end in (start if isinstance(start, (list, tuple)) else [start])]
    return any(isinstance(end, str) for end in ends)


def starts_told(pack: Pack, graph: Graph | None, parameters: Tensor) -> tuple[str, ...]:
    """A sentence about the starts that were looked for, if any; `parameters` [R, P] are where the runs start.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.models.starts import starts_told
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
