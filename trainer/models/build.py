"""config.model -> a model, checked against the data it is to be trained on."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ...kernels.common.errors import UserError, nearest
from ...kernels.dropout import Dropout
from ...kernels.equations.losses import CROSS_ENTROPY
from ...kernels.equations.robust import SQUARES
from ...kernels.language import Graph, parse
from ..config.equations import loss_in, optimizer_fields, rule_in
from ..config.pack import Pack
from ..config.schema import FIRST_ORDER, LEAST_SQUARES, Config, ModelConfig
from ..data.columns import mapped
from ..data.dataset import Dataset
from ..data.memory import available_memory, check_memory
from .base import Model
from .expression import ExpressionModel
from .initial import check_names
from .losses import constants_in_runs
from .mlp import MLPModel
from .starts import initial_parameters
from .weights import initial_weights, layout
from .widths import whole_widths

NARROW = 128  # features of a layer, up to which no step makes copies
MOST_GRAPHS = 64  # that are known, by what they are made of
COPIES = 5  # that a step of wide layers makes of the parameters and their optimizer's state, as measured
_graphs: dict[str, Graph] = {}


def graph_of(config: Config) -> Graph | None:
    """make_graph of a whole config, in which the names that data.columns maps are variables, too.

    >>> from packtrain.trainer.config.schema import Config, DataConfig, ModelConfig
    >>> from packtrain.trainer.models.build import graph_of
    >>> model = ModelConfig("expression", expressions="y = a*exp(-k*t)")
    >>> data = DataConfig("file", columns={"t": "time", "y": "signal"})
    >>> graph_of(Config(model=model, data=data)).inputs
    ('t',)
    """
    return make_graph(config.model, mapped(config.data.columns))


def make_graph(config: ModelConfig, others: Iterable[str] = ()) -> Graph | None:
    """The graph of an expression model, None for an MLP. Raises UserError or ExpressionError.

    `others` are variables, as those in model.variables are.

    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.build import make_graph
    >>> graph = make_graph(ModelConfig("expression", expressions="xy = a*x + b"))
    >>> graph.inputs, graph.parameters, graph.outputs
    (('x',), ('a', 'b'), ('xy',))
    """
    if config.kind != "expression":
        return None
    if not config.expressions:
        raise UserError("model=expression needs equations: add 'model.expressions=[\"xy = a*x + b\"]'")
    if not isinstance(config.expressions, (str, list)):
        raise UserError(f"model.expressions is a text or a list of equations; got {config.expressions!r}")
    variables = {*config.variables, *others} - {*config.parameters}
    given = config.expressions, config.outputs, config.parameters, variables
    key = repr((*given[:3], sorted(variables), config.variables, config.fixed, config.shared))
    if key not in _graphs:  # each session of a structure, and each merge of packs, asks again
        graph = parse(*given)
        _check_variables(config, graph)
        check_names("model.fixed", config.fixed, graph)
        check_names("model.shared", config.shared, graph)
        graph = replace(graph, fixed=frozenset(config.fixed))
        graph.check_slopes()
        if len(_graphs) >= MOST_GRAPHS:
            _graphs.clear()
        _graphs[key] = graph
    return _graphs[key]


def _check_variables(config: ModelConfig, graph: Graph) -> None:
    """Raises UserError for a name in model.variables that is a parameter, or isn't there."""
    known = (*graph.inputs, *graph.expressions)
    for word in config.variables:
        if word in config.parameters:
            raise UserError(f"model.variables and model.parameters both name {word}: keep one")
        if word not in known:
            names = (*known, *graph.parameters)
            raise UserError(
                f"model.variables: the equations have no name {word!r}{nearest(word, names)}; they have "
                f"{', '.join(names)}"
            )


def notes_on(config: ModelConfig) -> tuple[str, ...]:
    """Sentences about a model that hardly learns: said, not refused.

    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.build import notes_on
    >>> notes_on(ModelConfig("mlp", quantize=[0])), len(notes_on(ModelConfig("mlp", quantize=[0, 2])))
    ((), 1)
    """
    if config.kind != "mlp" or config.quantize_error == "drop" or not any(config.quantize):
        return ()
    return (
        "a hidden layer is quantized and its rounding error added to the gradient, which drowns what the "
        "layers before it could learn; with model.quantize_error=drop they learn",
    )


def new_model(
    pack: Pack,
    graph: Graph | None,
    data: Dataset,
    dtype: torch.dtype,
    backend: str,
    start: Tensor | None = None,
) -> Model:
    """The untrained model of every run in `pack`, on the data's device. Raises UserError.

    `start` [R, P] are its parameters, where they are known.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config, ModelConfig
    >>> from packtrain.trainer.data.dataset import Dataset
    >>> from packtrain.trainer.models.build import new_model
    >>> pack = Pack(Config(model=ModelConfig("expression", initial={"a": 3})), {"seed": [0, 1]}, 2)
    >>> data = Dataset(torch.ones(4, 1), torch.ones(4, 1), ("x",), ("xy",))
    >>> new_model(pack, parse("xy = a*x"), data, torch.float32, "reference").parameters.tolist()
    [[3.0], [3.0]]
    """
    config, device = pack.config.model, data.inputs.device
    seeds = torch.tensor(pack.each("seed"), device=device)
    if graph is not None:
        _check_memory(pack, make_layout(config, graph), device, dtype)
        if start is None:
            start = initial_parameters(pack, graph, seeds, data).to(dtype)
        _check_outputs(graph, data, config.loss)
    else:
        widths = _check_widths(config, data)
        config = replace(config, widths=widths)
        _check_memory(pack, layout(widths, config.bias), device, dtype)
        if start is None:
            start = initial_weights(widths, config.bias, seeds, dtype, config.init)
    model = build(config, graph, start, pack.config.compute.precision, backend)
    loss = loss_in(config, data.weights is not None, pack.over)
    model.loss_kind, model.loss_constants = loss, constants_in_runs(pack, loss, start)
    model.one_hot, model.seeds = data.one_hot, seeds
    if isinstance(model, MLPModel):
        model.dropout = dropout_of(pack, dtype, device)
    model.weighs_errors = pack.config.optimizer.kind in LEAST_SQUARES and loss.name not in SQUARES
    return model


def dropout_of(pack: Pack, dtype: torch.dtype, device: torch.device) -> Dropout | None:
    """How much the runs of `pack` drop; None where none does.

    >>> import torch
    >>> from packtrain.trainer.config.pack import Pack
    >>> from packtrain.trainer.config.schema import Config
    >>> from packtrain.trainer.models.build import dropout_of
    >>> pack = Pack(Config(), {"model.dropout": [0.0, 0.5]}, 2)
    >>> dropout_of(pack, torch.float32, torch.device("cpu")).rates
    tensor([0.0000, 0.5000])
    """
    rates = pack.each("model.dropout")
    return Dropout.make(rates, dtype, device) if any(rates) else None


def make_layout(config: ModelConfig, graph: Graph | None) -> dict[str, tuple[int, ...]]:
    """The names and shapes of one run's parameters, in the order in which a model holds them.

    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.build import make_layout
    >>> make_layout(ModelConfig("mlp", widths=[2, 3]), None)
    {'weight_0': (3, 2), 'bias_0': (3,)}
    """
    if graph is not None:
        return {parameter: () for parameter in graph.parameters}
    return layout(config.widths or [], config.bias)


def build(
    config: ModelConfig,
    graph: Graph | None,
    parameters: Tensor,
    precision: str,
    backend: str = "reference",
) -> Model:
    """The model that `config` describes, with these parameters [R, P].

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.config.schema import ModelConfig
    >>> from packtrain.trainer.models.build import build
    >>> model = build(ModelConfig("expression"), parse("xy = a*x"), torch.tensor([[2.0]]), "fp32")
    >>> model.predict(torch.tensor([[1.0], [5.0]])).tolist()
    [[[2.0], [10.0]]]
    """
    if graph is not None:
        delta = config.grad_delta if config.gradient == "finite_difference" else None
        return ExpressionModel(graph, parameters, loss_in(config), delta, backend)
    product = precision if precision in ("tf32", "bf16") else "ieee"
    of_layers = "triton" if backend == "triton" else "reference"  # Numba has whole trainings, no layers
    assert config.widths is not None
    return MLPModel(
        parameters,
        config.widths,
        config.bias,
        loss_in(config),
        config.quantize,
        product,
        of_layers,
        config.activation,
        config.quantize_error,
    )


def _check_memory(
    pack: Pack, shapes: Mapping[str, tuple[int, ...]], device: torch.device, dtype: torch.dtype
) -> None:
    """Raises UserError where the parameters of all runs, with what training makes of them, have no room.

    On CUDA a pack can be trained some runs at a time, so that only parameters and state count for all runs.
    """
    size, runs = sum(map(math.prod, shapes.values())), pack.runs
    states = 1 + _remembered(pack)  # and parameters
    wide = max(map(max, filter(None, shapes.values())), default=1) > NARROW
    at_once = 1 if device.type == "cuda" else runs
    best = pack.config.model.best  # keeps the best parameters, of which another copy is measured at the end
    in_a_step = best * runs + (COPIES * states if wide else states + 1) * at_once
    copies = max((states + 2 * best) * runs, in_a_step)
    what = f"training {size:,} parameters" + (f" in {runs:,} runs" if runs > 1 else "")
    mend = "take fewer runs" if len(shapes) == size else "make model.widths smaller, or take fewer runs"
    check_memory(copies * size * dtype.itemsize, available_memory(device), what, mend)


def _remembered(pack: Pack) -> int:
    """How many numbers the optimizer remembers of each parameter."""
    config = pack.config.optimizer
    if config.kind not in FIRST_ORDER:
        return 0
    fields = optimizer_fields(config)
    return len(rule_in(config).remembers([word for word in fields if not any(pack.each(fields[word]))]))


def _check_widths(config: ModelConfig, data: Dataset) -> list[int]:
    widths = whole_widths(config.widths, len(data.input_names), len(data.target_names))
    for layer in config.quantize:
        if not 0 <= layer < len(widths) - 1:
            raise UserError(f"model.quantize lists layers from 0 to {len(widths) - 2}; got {layer}")
    return widths


def _check_outputs(graph: Graph, data: Dataset, loss: str) -> None:
    """cross_entropy needs an output a class, the other losses one a target."""
    outputs, expected = len(graph.outputs), len(data.target_names)
    if outputs != expected:
        what, other = ("classes", "mse") if loss == CROSS_ENTROPY else ("targets", CROSS_ENTROPY)
        raise UserError(
            f"the equations have {outputs} outputs, but the data have {expected} {what}: make them equal "
            f"(or is it model.loss={other}?)"
        )
