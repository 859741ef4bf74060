"""One run explained at one sample: all of it as data, and what people read of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol

from ...kernels.common.errors import UserError
from ...kernels.expression.explain import explain as explain_graph
from ...kernels.language.explain import Explanation
from ...kernels.language.explain_sheets import named, number, sheets
from ...kernels.language.sheet import Sheet, html_of, text_of
from ..engines.rows import finite
from ..models.expression import ExpressionModel
from .case import Case
from .descent import Descent, descent
from .jacobian import Jacobian, jacobian
from .perceptron import Perceptron, perceptron
from .perceptron_sheets import perceptron_sheets
from .samples import chosen_sample, gradient
from .trained import DIVERGENCE, trained_parts


class Part(Protocol):
    """A part of an explanation: a dataclass, and the table of it that people read."""

    @property
    def sheet(self) -> Sheet:
        """The table."""
        ...


@dataclass(frozen=True)
class Explained:
    """A run at one sample: `graph` and `jacobian` of equations, `mlp` of an MLP, and a step of `descent`.

    `sample` is its place among the training samples, `row` its row in what they were taken from, from 1.
    `more` are further parts by name. str() is what the command prints; a notebook shows tables.
    """

    title: str
    sample: int
    samples: int
    row: int
    inputs: Mapping[str, float]
    targets: Mapping[str, float]
    weight: float | None
    notes: tuple[str, ...]
    graph: Explanation | None
    jacobian: Jacobian | None
    mlp: Perceptron | None
    descent: Descent
    more: Mapping[str, Part] = field(default_factory=dict)

    @property
    def sheets(self) -> list[Sheet]:
        """The tables, in the order in which things are computed."""
        more = {name: part.sheet for name, part in self.more.items()}
        first = [more.pop(DIVERGENCE)] if DIVERGENCE in more else []
        of_model = sheets(self.graph) if self.graph else []
        of_model += perceptron_sheets(self.mlp) if self.mlp else []
        of_model += [self.jacobian.sheet] if self.jacobian else []
        return [_heading(self), *first, *of_model, self.descent.sheet, *more.values()]

    @property
    def data(self) -> dict[str, Any]:
        """The whole, in dictionaries, lists, texts and finite numbers; None where one isn't finite."""
        return finite(_plain(self))

    def mermaid(self) -> str:
        """The graph with its values and partials as Mermaid's text. Raises UserError of an MLP."""
        return self._drawn("mermaid").mermaid()

    def svg(self) -> str:
        """The same as SVG's text."""
        return self._drawn("svg").svg()

    def _drawn(self, to: str) -> Explanation:
        if self.graph is None:
            raise UserError(f"to={to} draws equations, and this is an MLP: to=text, json or html")
        return self.graph

    def __str__(self) -> str:
        return text_of(self.sheets)

    def _repr_html_(self) -> str:
        heading, *others = self.sheets
        drawing = self.graph.drawing if self.graph else ""
        return heading.html + drawing + html_of(others)


def explained(case: Case, sample: int | str = 0, delta: float | None = None) -> Explained:
    """A run at a sample: its place, or 'worst'. `delta` is the step of finite differences (model.grad_delta).

    Raises UserError.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> from packtrain.trainer.explain.explained import explained
    >>> about = explained(case_of_config(["experiment=debug"]), sample=3)
    >>> about.sample, sorted(about.graph.gradient)
    (3, ['ab', 'ac', 'bc', 'cd'])
    """
    model, data = case.model, case.data
    place = chosen_sample(model, data, sample)
    part = data.part(slice(place, place + 1))
    of_graph, whole = isinstance(model, ExpressionModel), gradient(model, data)
    return Explained(
        case.title,
        place,
        len(data),
        data.row(place),
        dict(zip(data.input_names, part.inputs[0].tolist(), strict=True)),
        _targets(case, place),
        None if part.weights is None else float(part.weights),
        case.notes,
        _graph(case, place, delta) if of_graph else None,
        jacobian(case, place, whole) if of_graph else None,
        None if of_graph else perceptron(case, place),
        descent(case, place, whole),
        trained_parts(case),
    )


def _graph(case: Case, place: int, delta: float | None) -> Explanation:
    """The equations at one sample."""
    model, data = case.model, case.data
    assert isinstance(model, ExpressionModel)
    constants = model.loss_constants
    return explain_graph(
        model.graph,
        model.parameters[0].detach(),
        data.inputs[place],
        data.targets[place],
        model.loss_kind,
        None if constants is None else constants[0],
        1.0 if data.weights is None else float(data.weights[place]),
        model.weighs_errors,
        case.pack.config.model.grad_delta if delta is None else delta,
    )


def _targets(case: Case, place: int) -> dict[str, float]:
    """The targets by name; of a class 1 and 0."""
    row, names = case.data.targets[place].tolist(), case.data.target_names
    if not case.model.loss_kind.of_classes:
        return dict(zip(names, row, strict=True))
    return {name: float(k == row[0]) for k, name in enumerate(names)}


def _heading(about: Explained) -> Sheet:
    place = f"sample {about.sample:,} of {about.samples:,}"
    row = f" (row {about.row:,} of the data)" if about.row != about.sample + 1 else ""
    weight = [] if about.weight is None else [f"its weight is {number(about.weight)}"]
    lines = [named(about.inputs), _should(about), *weight, *about.notes]
    return Sheet(f"{about.title}: {place}{row}", about=tuple(lines))


def _should(about: Explained) -> str:
    classes = about.mlp.loss_name if about.mlp else about.graph.loss_name if about.graph else ""
    if classes == "cross_entropy":
        return f"its class: {next(name for name, hit in about.targets.items() if hit)}"
    return f"should be: {named(about.targets)}"


def _plain(value: Any) -> Any:
    """Dataclasses and mappings as dictionaries, sequences as lists; without what isn't shown."""
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value) if part.repr}
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
