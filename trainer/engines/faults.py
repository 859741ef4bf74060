"""What isn't finite on the way from the data to a loss and its gradient: the row, the place, the value."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.equations.robust import SQUARES
from ...kernels.expression.fault import first_fault, is_finite
from ...kernels.language import Graph
from ...kernels.language.graph import MAX_SLOPES
from ...kernels.loss.reference import cross_entropy, loss_reference, of_formula
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.expression import ExpressionModel

BEYOND = [10.0**power for power in range(-14, -1)]  # of how far the parameters reach
OFFSET = 10  # middle of an input over its spread, from which powers of it are better taken about the middle
NEARER = ": start nearer, or take another unit"


@dataclass(frozen=True)
class Fault:
    """What isn't finite: `place` is a vertex, a derivative, a unit of a layer or a parameter.

    `row` is the data's, from 1; None where no one sample is to blame.

    >>> str(Fault("xy = 2/0 is infinite", "xy", 7))
    'row 7: xy = 2/0 is infinite'
    """

    text: str
    place: str
    row: int | None = None

    def __str__(self) -> str:
        return self.text if self.row is None else f"row {self.row}: {self.text}"


def fault_in(
    graph: Graph, parameters: Tensor, data: Dataset, outputs: bool = True, derivatives: bool = True
) -> Fault | None:
    """Where an equation, or a derivative, isn't finite at these parameters [P]; None where all are.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.tensor([[1.0], [0.0]]), torch.zeros(2, 1), ("xd",), ("xt",))
    >>> str(fault_in(parse("xt = k/xd"), torch.tensor([2.0]), data))
    'row 2: xt = 2/0 is infinite'
    """
    data = data.counted
    fault = first_fault(graph, parameters, data.inputs, derivatives and _few(graph), outputs)
    return fault and Fault(str(fault), fault.place, data.row(fault.sample))


def fault_of_loss(model: Model, outputs: Tensor, data: Dataset, mend: str = "") -> Fault | None:
    """The output [1, B, T] and the target at which a run's loss, or its slope, isn't finite; None if all are.

    Where each is, but not their sum, it is the one that adds the most. `mend` follows what is too far.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.trainer.models.expression import ExpressionModel
    >>> data = Dataset(torch.tensor([[1.0], [9.0]]), torch.zeros(2, 1), ("x",), ("xy",))
    >>> model = ExpressionModel(parse("xy = a*x"), torch.tensor([[20.0]]), "log(cosh(y - t))", None)
    >>> str(fault_of_loss(model, model.predict(data.inputs), data))
    'row 2: model.loss=log(cosh(y - t)), or its slope, is not finite in float32 where xy is 180 and t is 0'
    """
    loss = model.loss_kind
    given = loss, outputs, data.targets, model.loss_constants
    terms, slopes = (cross_entropy if loss.of_classes else of_formula)(*given)
    outputs = outputs.detach()
    finite = terms[0].isfinite() & slopes[0].isfinite()
    if bool(finite.all()):
        weights = None if data.weights is None else data.weights.to(outputs.dtype)
        if bool(loss_reference(*given, weights)[0].isfinite().all()):
            return None
        row, column = divmod(int(terms.abs().argmax()), terms.shape[2])
    else:
        row, column = (~finite).nonzero()[0].tolist()
    return _of_output(model, outputs[0], data, row, column, mend)


def _of_output(model: Model, outputs: Tensor, data: Dataset, row: int, column: int, mend: str) -> Fault:
    """That of one output and its target."""
    dtype = str(outputs.dtype).removeprefix("torch.")
    place = output_names(model, data)[column]
    value, loss = float(outputs[row, column]), model.loss_kind.name
    if model.loss_kind.of_classes:
        text = f"model.loss={loss}, or its slope, is not finite in {dtype} where {place} is {value:.4g}"
        return Fault(text, place, data.row(row))
    target = float(data.targets[row, column])
    if loss in SQUARES:
        text = f"{place} is {value:.4g} where the data have {target:.4g}, too far for a square in {dtype}"
        return Fault(text + mend, place, data.row(row))
    where = f"where {place} is {value:.4g} and t is {target:.4g}"
    return Fault(f"model.loss={loss}, or its slope, is not finite in {dtype} {where}", place, data.row(row))


def output_names(model: Model, data: Dataset) -> tuple[str, ...]:
    """What a model's outputs are called: as the equations' outputs, the classes, or the targets.

    >>> from packtrain.trainer.models.mlp import MLPModel
    >>> data = Dataset(torch.ones(1, 1), torch.ones(1, 1), ("x",), ("t",))
    >>> output_names(MLPModel(torch.ones(1, 2), [1, 1], True, "mse"), data)
    ('t',)
    """
    return model.graph.outputs if isinstance(model, ExpressionModel) else data.target_names


def faults_beyond(graph: Graph, parameters: Tensor, direction: Tensor, data: Dataset) -> dict[int, Fault]:
    """run -> the fault that is met first on the way from `parameters` [K, P] along `direction` [K, P].

    `data` are those of the K runs; a run that meets none isn't there.

    >>> from packtrain.kernels.language import parse
    >>> data = Dataset(torch.ones(1, 1), torch.zeros(1, 1), ("x",), ("xy",))
    >>> down = torch.tensor([[-1.0], [0.0]])
    >>> str(faults_beyond(parse("xy = log(a*x)"), torch.tensor([[1e-3], [1e-3]]), down, data)[0])
    'row 1: xy = log(0) is minus infinity'
    """
    faults: dict[int, Fault] = {}
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
