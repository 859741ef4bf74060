"""config.model -> a model, checked against the data it is to be trained on."""

from dataclasses import replace

import torch
from torch import Tensor

from kernels.errors import UserError
from kernels.expression import Graph, parse
from trainer import config
from trainer.compute import Compute
from trainer.config import LEAST_SQUARES
from trainer.data.dataset import Dataset
from trainer.models.base import Model
from trainer.models.expression import ExpressionModel, check_names, draws, initial_values
from trainer.models.mlp import MLPModel, initial_weights, layout
from trainer.pack import START, Pack


def make_graph(asked: config.Model) -> Graph | None:
    """The graph of an expression model, None for an MLP. Raises UserError or ExpressionError."""
    if asked.kind != "expression":
        return None
    if not asked.expressions:
        raise UserError("model=expression needs equations: add 'model.expressions=[\"xy = a*x + b\"]'")
    if not isinstance(asked.expressions, (str, list)):
        raise UserError(f"model.expressions is a text or a list of equations; got {asked.expressions!r}")
    graph = parse(asked.expressions, asked.outputs)
    check_names("model.fixed", asked.fixed, graph)
    return replace(graph, fixed=frozenset(asked.fixed))


def new_model(pack: Pack, graph: Graph | None, data: Dataset, compute: Compute) -> Model:
    """The untrained model of every run in `pack`, on the data's device. Raises UserError."""
    asked = pack.config.model
    seeds = torch.tensor(pack.each("seed"), device=data.inputs.device)
    if graph is not None:
        initial = {parameter: [value] * pack.runs for parameter, value in asked.initial.items()} | {
            path.removeprefix("model.initial."): values
            for path, values in pack.over.items()
            if path.startswith("model.initial.")
        }
        starts = torch.tensor(pack.over.get(START, [0] * pack.runs), device=seeds.device)
        start = initial_values(asked, graph, initial, draws(asked, graph, seeds, starts)).to(compute.dtype)
        _check_classes("the equations have", len(graph.outputs), data, asked.loss)
    else:
        widths = _check_widths(asked, data)
        start = initial_weights(widths, asked.bias, seeds, compute.dtype)
    numba_serves = graph is not None and pack.config.optimizer.kind not in LEAST_SQUARES
    backend = "reference" if compute.backend == "numba" and not numba_serves else compute.backend
    return build(asked, graph, start, pack.config.compute.precision, backend)


def make_layout(asked: config.Model, graph: Graph | None) -> dict[str, tuple[int, ...]]:
    """The names and shapes of one run's parameters, in the order in which a model holds them."""
    if graph is not None:
        return {parameter: () for parameter in graph.parameters}
    return layout(asked.widths or [], asked.bias)


def build(
    asked: config.Model,
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
    assert asked.widths is not None
    return MLPModel(parameters, asked.widths, asked.bias, asked.loss, asked.quantize, product, backend)


def _check_widths(asked: config.Model, data: Dataset) -> list[int]:
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
