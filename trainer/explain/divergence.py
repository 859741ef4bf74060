"""Why a run ended as it did: what wasn't finite at the step that it couldn't take, with all numbers there."""

from copy import copy
from dataclasses import dataclass

import torch

from ...kernels.elementwise.reference import evaluate
from ...kernels.expression.reference import bind
from ...kernels.language.explain_sheets import number
from ...kernels.language.sheet import Sheet
from ..engines.devices import make_compute
from ..engines.diverged import moment_of
from ..engines.faults import Fault
from ..engines.moment import fault_of_model
from ..engines.outcome import Outcome
from ..models.base import Model
from ..models.expression import ExpressionModel
from .case import Case


@dataclass(frozen=True)
class Vertex:
    """A variable's value at the sample, in the type that trained; its equation, '' of an input."""

    name: str
    equation: str
    value: float


@dataclass(frozen=True)
class NotFinite:
    """The `message` of a run that diverged or couldn't begin; the rest of it is None where that isn't found.

    `row` is the data's, from 1; `place` the vertex, derivative, layer's unit or parameter, and `text` what
    is the matter with it. `vertices` are those of equations, at that row.
    """

    message: str
    step: int | None
    row: int | None
    place: str | None
    text: str | None
    vertices: tuple[Vertex, ...]

    @property
    def sheet(self) -> Sheet:
        """The sentence, and the values on the way."""
        labels = "vertex", "equation", ">value"
        lines = tuple((v.name, v.equation or "(input)", number(v.value)) for v in self.vertices)
        before = "" if self.step is None else f", before step {self.step}"
        where = f" at row {self.row:,}{before}" if self.vertices else ""
        more = () if self.text is None or self.text in self.message else (self.text,)
        title = f"What is not finite{where}"
        return Sheet(title, labels if lines else (), lines, about=(self.message, *more))


def divergence_of(case: Case) -> NotFinite | None:
    """Why the trained run of a case diverged, or why its fit couldn't go on; None of any other.

    It is computed once more, from the parameters that the run has kept, which are those before that step:
    but for what the optimizer remembered, and but for a run that model.best has given earlier ones.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> divergence_of(case_of_config(["experiment=debug"]))
    """
    row = case.trained
    if row is None or row["outcome"] not in (Outcome.DIVERGED.word, Outcome.FAILED.word):
        return None
    model = _as_trained(case)
    batch = case.data.to(torch.device("cpu"), model.parameters.dtype)
    if row["outcome"] == Outcome.FAILED.word:
        step, fault = None, fault_of_model(model, batch)
    else:
        moment = moment_of(case.pack, model, batch, 0, step := row["steps"])
        fault = moment.fault_of_gradient()
    message = row["message"]
    if fault is None:
        return NotFinite(message, step, None, None, None, ())
    return NotFinite(message, step, fault.row, fault.place, fault.text, _vertices(model, case, fault))


def _as_trained(case: Case) -> Model:
    """The model in the type that it was trained in."""
    model = copy(case.model)
    dtype = make_compute(case.pack.config.compute).dtype
    model.parameters = model.parameters.detach().to(dtype).requires_grad_()
    return model


def _vertices(model: Model, case: Case, fault: Fault) -> tuple[Vertex, ...]:
    """Every variable at the row of the fault, in topological order."""
    if fault.row is None or not isinstance(model, ExpressionModel):
        return ()
    graph, dtype = model.graph, model.parameters.dtype
    rows = case.data.rows
    sample = fault.row - 1 if rows is None else int((rows == fault.row - 1).nonzero()[0])
    values = bind(graph, model.parameters.detach(), case.data.inputs[sample : sample + 1].to(dtype))
    evaluate(graph.program, values)
    inputs = zip(graph.inputs, case.data.inputs[sample].tolist(), strict=True)
    made = (
        Vertex(name, str(graph.expressions[name]), float(values[root][0, 0]))
        for name, root in graph.lowered.items()
        if root in values
    )
    return (*(Vertex(name, "", value) for name, value in inputs), *made)
