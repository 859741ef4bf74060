"""Why runs can't begin: the row of the data, and the part of the equations, that isn't finite there."""

import torch
from torch import Tensor

from ...kernels.equations.robust import SQUARES
from ...kernels.expression.fault import first_fault, is_finite
from ...kernels.expression.reference import predict
from ...kernels.language import Graph
from ...kernels.language.graph import MAX_SLOPES
from ...kernels.loss.reference import of_formula
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.expression import ExpressionModel

BEYOND = [10.0**power for power in range(-14, -1)]  # of how far the parameters reach
OFFSET = 10  # middle of an input over its spread, from which powers of it are better taken about the middle
UPDATE = (
    "the loss and its gradient are finite at the starting values, and the first update isn't: "
    "try a smaller optimizer.lr or, with adam, a larger optimizer.eps"
)
UNKNOWN = "look at the data and at the starting values"


def why_not_begun(model: Model, data: Dataset, runs: Tensor) -> dict[int, str]:
    """run -> why it can't make a step from its starting values, for each that is marked in `runs` [R].

    Runs with the same starting values and samples are examined once.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.zeros(1, 1), torch.zeros(1, 1), ("x",), ("xy",))
    >>> model = ExpressionModel(parse("xy = a/x"), torch.tensor([[2.0], [3.0]]), "mse", None)
    >>> why_not_begun(model, data, torch.tensor([False, True]))
    {1: 'row 1: a/x is infinite'}
    """
    starts = {run: _beginning(model, data, run) for run in runs.nonzero()[:, 0].tolist()}
    first = {values: run for run, values in reversed(starts.items())}
    reasons = {values: _why_not_begun(model, data, run) for values, run in first.items()}
    return {run: reasons[values] for run, values in starts.items()}


def _beginning(model: Model, data: Dataset, run: int) -> tuple[float, ...]:
    """What tells runs apart that begin otherwise: the starting values, and which samples are its own."""
    own = data.segments and data.segments.of(torch.tensor([run]))
    samples = () if own is None else (*own.starts.tolist(), *own.counts.tolist())
    return *model.parameters[run].tolist(), *samples


def _why_not_begun(model: Model, data: Dataset, run: int) -> str:
    data = data.of_run(run)
    if not isinstance(model, ExpressionModel):
        return fault_of_loss(model, data, run) or UNKNOWN
    given = model.graph, model.parameters.detach()[run], data
    return fault_in(*given) or fault_of_loss(model, data, run) or too_far(*given) or UPDATE


def fault_of_loss(model: Model, data: Dataset, run: int) -> str:
    """The output and the target at which the loss of a run, or its slope, isn't finite, or ''.

    What squares and cross-entropy can't take isn't about them, but about the outputs.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.tensor([[1.0], [9.0]]), torch.zeros(2, 1), ("x",), ("xy",))
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[20.0]]), "log(cosh(y - t))", "reference")
    >>> fault_of_loss(model, data, 0)
    'row 2: model.loss=log(cosh(y - t)), or its slope, is not finite in float32 where y is 180 and t is 0'
    """
    loss, data = model.loss_kind, data.counted
    if loss.of_classes or loss.name in SQUARES:
        return ""
    alone = model.of(torch.tensor([run], device=model.parameters.device))
    with torch.no_grad():
        outputs = alone.predict(data.inputs)
        parts = torch.stack(of_formula(loss, outputs, data.targets, alone.loss_constants))
    wrong = ((~parts.isfinite()).any(0) & outputs.isfinite()).nonzero()
    if not len(wrong):
        return ""
    _, row, column = wrong[0].tolist()
    dtype = str(outputs.dtype).removeprefix("torch.")
    return (
        f"row {data.row(row)}: model.loss={loss.name}, or its slope, is not finite in {dtype} where y is "
        f"{float(outputs[0, row, column]):.4g} and t is {float(data.targets[row, column]):.4g}"
    )


def fault_in(graph: Graph, parameters: Tensor, data: Dataset) -> str:
    """Where an equation or a derivative isn't finite at these parameters [P], or ''.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.tensor([[1.0], [0.0]]), torch.zeros(2, 1), ("xd",), ("xt",))
    >>> fault_in(parse("xt = k/xd"), torch.tensor([2.0]), data)
    'row 2: k/xd is infinite'
    """
    data = data.counted
    fault = first_fault(graph, parameters, data.inputs, derivatives=_few(graph))
    return f"row {data.row(fault.sample)}: {fault}" if fault else ""


def too_far(graph: Graph, parameters: Tensor, data: Dataset) -> str:
    """The output that is so far from its target that the square isn't finite, or ''.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.tensor([[1.0]]), torch.zeros(1, 1), ("x",), ("xy",))
    >>> too_far(parse("xy = a*x"), torch.tensor([1e30]), data)
    'row 1: xy is 1e+30 where the data have 0, too far for a square in float32: start nearer, or take ...'
    """
    data = data.counted
    outputs = predict(graph, parameters[None], data.inputs)[0]
    if outputs.shape != data.targets.shape:
        return ""
    away = (outputs - data.targets).abs()
    if bool((away.square().sum() * len(away)).isfinite()):
        return ""
    row, column = divmod(int(away.argmax()), away.shape[1])
    value, target = float(outputs[row, column]), float(data.targets[row, column])
    dtype = str(outputs.dtype).removeprefix("torch.")
    return (
        f"row {data.row(row)}: {graph.outputs[column]} is {value:.4g} where the data have {target:.4g}, "
        f"too far for a square in {dtype}: start nearer, or take another unit"
    )


def faults_beyond(graph: Graph, parameters: Tensor, direction: Tensor, data: Dataset) -> dict[int, str]:
    """run -> the fault that is met first on the way from `parameters` [K, P] along `direction` [K, P].

    `data` are those of the K runs; a run that meets none isn't there.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.ones(1, 1), torch.zeros(1, 1), ("x",), ("xy",))
    >>> down = torch.tensor([[-1.0], [0.0]])
    >>> faults_beyond(parse("xy = log(a*x)"), torch.tensor([[1e-3], [1e-3]]), down, data)
    {0: 'row 1: log(a*x) is minus infinity'}
    """
    faults: dict[int, str] = {}
    left = torch.arange(len(parameters), device=parameters.device)
    for share in BEYOND:
        there = parameters + share * direction
        for run in left[~_all_finite(graph, there[left], data.of(left))].tolist():
            if fault := fault_in(graph, there[run], data.of_run(run)):
                faults[run] = fault
        left = left[~torch.isin(left, torch.tensor(list(faults), device=left.device))]
        if not len(left):
            break
    return faults


def _all_finite(graph: Graph, parameters: Tensor, data: Dataset) -> Tensor:
    """Whether the equations and their derivatives are finite on all samples of each run: [K]."""
    data = data.counted
    finite = torch.ones(len(parameters), dtype=torch.bool, device=parameters.device)
    if data.segments is None:
        return is_finite(graph, parameters, data.inputs, _few(graph))
    for runs, alike in data.alike():
        finite[runs] = is_finite(graph, parameters[runs], alike.inputs, _few(graph))
    return finite


def _few(graph: Graph) -> bool:
    """Whether there are so few derivatives that all are looked at."""
    return len(graph.program) * len(graph.parameters) <= MAX_SLOPES


def far_from_0(data: Dataset) -> str:
    """How to write equations of an input that varies little about a value far from 0; '' where none does.

    >>> data = Dataset(torch.tensor([[2000.0], [2010.0]]), torch.zeros(2, 1), ("year",), ("y",))
    >>> far_from_0(data)
    ': year lies between 2000 and 2010; write the equations about the middle, with (year - 2005) for year'
    """
    inputs = data.inputs.double()
    if not len(inputs):
        return ""
    middle, spread = inputs.mean(0), inputs.amax(0) - inputs.amin(0)
    offset = torch.where(spread > 0, middle.abs() / spread, 0)
    if not len(offset) or float(offset.max()) < OFFSET:
        return ""
    column = int(offset.argmax())
    name, low, high = data.input_names[column], float(inputs[:, column].min()), float(inputs[:, column].max())
    return (
        f": {name} lies between {low:.10g} and {high:.10g}; write the equations about the middle, with "
        f"({name} - {(low + high) / 2:.10g}) for {name}"
    )
