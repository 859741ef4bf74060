"""config.model -> a model, checked against the data it is to be trained on."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ...kernels.common.errors import UserError
from ...kernels.language import Graph, parse
from ..config import schema
from ..config.pack import START, Pack
from ..data.dataset import Dataset
from ..data.memory import available_memory, check_memory
from .base import Model
from .expression import ExpressionModel, check_names, draws, initial_values
from .mlp import MLPModel, initial_weights, layout

NARROW = 128  # features of a layer, up to which no step makes copies
COPIES = 5  # of what is kept, that a step of wide layers makes, as measured


def make_graph(asked: schema.ModelConfig) -> Graph | None:
    """The graph of an expression model, None for an MLP. Raises UserError or ExpressionError."""
    if asked.kind != "expression":
        return None
    if not asked.expressions:
        raise UserError("model=expression needs equations: add 'model.expressions=[\"xy = a*x + b\"]'")
    if not isinstance(asked.expressions, (str, list)):
        raise UserError(f"model.expressions is a text or a list of equations; got {asked.expressions!r}")
    graph = parse(asked.expressions, asked.outputs, asked.parameters)
    check_names("model.fixed", asked.fixed, graph)
    return replace(graph, fixed=frozenset(asked.fixed))


def new_model(pack: Pack, graph: Graph | None, data: Dataset, dtype: torch.dtype, backend: str) -> Model:
    """The untrained model of every run in `pack`, on the data's device. Raises UserError."""
    asked = pack.config.model
    device = data.inputs.device
    seeds = torch.tensor(pack.each("seed"), device=device)
    if graph is not None:
        _check_memory(pack, make_layout(asked, graph), device, dtype)
        start = _initial(pack, graph, seeds).to(dtype)
        _check_classes("the equations have", len(graph.outputs), data, asked.loss)
    else:
        widths = _check_widths(asked, data)
        _check_memory(pack, layout(widths, asked.bias), device, dtype)
        start = initial_weights(widths, asked.bias, seeds, dtype)
    model = build(asked, graph, start, pack.config.compute.precision, backend)
    model.one_hot = data.one_hot
    return model


def starting_values(pack: Pack, run: int) -> dict[str, float]:
    """Where the parameters of a run's equations begin, to the last bit."""
    graph, alone = make_graph(pack.config.model), pack.of([run])
    assert graph is not None
    values = _initial(alone, graph, torch.tensor(alone.each("seed")))[0].tolist()
    return dict(zip(graph.parameters, values, strict=True))


def _initial(pack: Pack, graph: Graph, seeds: Tensor) -> Tensor:
    """The starting values [R, P] of equations, in float64. Raises UserError."""
    asked = pack.config.model
    initial = {parameter: [value] * pack.runs for parameter, value in asked.initial.items()} | {
        path.removeprefix("model.initial."): values
        for path, values in pack.over.items()
        if path.startswith("model.initial.")
    }
    starts = torch.tensor(pack.over.get(START, [0] * pack.runs), device=seeds.device)
    return initial_values(asked, graph, initial, draws(asked, graph, seeds, starts))


def make_layout(asked: schema.ModelConfig, graph: Graph | None) -> dict[str, tuple[int, ...]]:
    """The names and shapes of one run's parameters, in the order in which a model holds them."""
    if graph is not None:
        return {parameter: () for parameter in graph.parameters}
    return layout(asked.widths or [], asked.bias)


def build(
    asked: schema.ModelConfig,
    graph: Graph | None,
    parameters: Tensor,
    precision: str,
    backend: str = "reference",
) -> Model:
    """The model that `asked` describes, with these parameters [R, P]."""
    if graph is not None:
        delta = asked.grad_delta if asked.gradient == "finite_difference" else None
        return ExpressionModel(graph, parameters, asked.loss, delta, backend)
    product = precision if precision in ("tf32", "bf16") else "ieee"
    served = "triton" if backend == "triton" else "reference"  # Numba trains MLPs, and has no single layers
    assert asked.widths is not None
    return MLPModel(parameters, asked.widths, asked.bias, asked.loss, asked.quantize, product, served)


def _check_memory(
    pack: Pack, parts: Mapping[str, tuple[int, ...]], device: torch.device, dtype: torch.dtype
) -> None:
    """Raises UserError where the parameters of all runs, with what training makes of them, have no room.

    On CUDA runs can be trained some at a time, so that of them all only what is kept counts.
    """
    size, runs = sum(map(math.prod, parts.values())), pack.runs
    optimizer = pack.config.optimizer.kind
    remembers = optimizer == "sgd" and any(pack.each("optimizer.momentum"))
    kept = {"sgd": 2 if remembers else 1, "adam": 3, "adamw": 3}.get(optimizer, 1)
    wide = max(map(max, filter(None, parts.values())), default=1) > NARROW
    at_once = 1 if device.type == "cuda" else runs
    copies = max(kept * runs, (COPIES * kept if wide else kept + 1) * at_once)
    what = f"training {size:,} parameters" + (f" in {runs:,} runs" if runs > 1 else "")
    mend = "take fewer runs" if len(parts) == size else "make model.widths smaller, or take fewer runs"
    check_memory(copies * size * dtype.itemsize, available_memory(device), what, mend)


def _check_widths(asked: schema.ModelConfig, data: Dataset) -> list[int]:
    widths = asked.widths
    if not widths or len(widths) < 2 or min(widths) < 1:
        raise UserError(f"model.widths is [inputs, hidden..., outputs], such as [2, 10, 2]; got {widths}")
    if widths[0] != len(data.input_names):
        raise UserError(
            f"model.widths begins with the number of inputs: the data have {len(data.input_names)}, "
            f"got {widths[0]}"
        )
    for layer in asked.quantize:
        if not 0 <= layer < len(widths) - 1:
            raise UserError(f"model.quantize lists layers from 0 to {len(widths) - 2}; got {layer}")
    _check_classes("model.widths ends with", widths[-1], data, asked.loss)
    return widths


def _check_classes(who: str, outputs: int, data: Dataset, loss: str) -> None:
    """cross_entropy needs an output a class, the other losses one a target."""
    expected = len(data.target_names)
    if outputs != expected:
        what, other = ("classes", "mse") if loss == "cross_entropy" else ("targets", "cross_entropy")
        raise UserError(
            f"{who} {outputs} outputs, but the data have {expected} {what}: make them equal "
            f"(or is it model.loss={other}?)"
        )
