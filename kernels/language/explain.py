"""A graph explained at one sample: its vertices, partials, backward walk and paths, as data.

`explanation` puts together what a backend has computed; see `kernels.expression.explain`, which does both.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..diagrams import draw, graph_diagram, svg
from .chain import LOSS, Edges, Path, count_paths, largest_paths, product, slope_up, slopes_down
from .explain_sheets import sheets
from .expr import written
from .graph import Graph
from .mermaid import mermaid
from .sheet import html_of, text_of

SHOWN_PATHS = 8
LONGEST = 2000  # characters of a formula, whose text may have no end: equal parts are one object


@dataclass(frozen=True)
class Vertex:
    """A variable: its equation ('' of an input), its neighbours in the graph, and its value."""

    name: str
    equation: str
    depends_on: tuple[str, ...]
    leads_to: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Partial:
    """d of / d by: its formula, its value, and the `difference` (f(by + delta) - f(by))/delta."""

    of: str
    by: str
    formula: str
    value: float
    difference: float

    @property
    def apart(self) -> float:
        """How much larger the finite difference is."""
        return self.difference - self.value


@dataclass(frozen=True)
class Term:
    """dL/d via * d via/d vertex = `slope` * `partial` = `value`."""

    via: str
    slope: float
    partial: float
    value: float


@dataclass(frozen=True)
class Slope:
    """dL/d vertex: the sum of its `terms`, and of what the loss itself adds where it is an output."""

    vertex: str
    value: float
    by_loss: float | None
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Chain:
    """The chain rule of one parameter: its largest `paths` of `count`, and the sum `total` over all of them.

    `gradient` is what training takes, `difference` what it takes with finite differences for partials.
    """

    parameter: str
    value: float
    count: int
    paths: tuple[Path, ...]
    total: float
    gradient: float
    difference: float

    @property
    def apart(self) -> float:
        """How much larger the gradient that training takes is than the sum over the paths."""
        return self.gradient - self.total


@dataclass(frozen=True)
class Output:
    """What is compared: an output's value, its target (None where there is none), and dL/d output."""

    name: str
    value: float
    target: float | None
    slope: float


@dataclass(frozen=True)
class Numbers:
    """What a backend computes of a graph at one sample, by name; see Explanation for what each is.

    `partials` and `differences` are variable -> name -> d variable/d name.
    """

    values: Mapping[str, float]
    partials: Edges
    differences: Edges
    gradient: Mapping[str, float]
    gradient_by_differences: Mapping[str, float]
    outputs: tuple[Output, ...]
    loss: float


@dataclass(frozen=True)
class Explanation:
    """A graph at one sample, with the loss `loss_name` = `formula` of that sample.

    `fixed` are parameters that training leaves alone: their gradient isn't taken. `delta` is the step of
    finite differences. str() is what the command prints.
    """

    loss_name: str
    formula: str
    loss: float
    delta: float
    outputs: tuple[Output, ...]
    vertices: tuple[Vertex, ...]
    parameters: Mapping[str, float]
    fixed: tuple[str, ...]
    partials: tuple[Partial, ...]
    backward: tuple[Slope, ...]
    chains: tuple[Chain, ...]
    graph: Graph = field(compare=False, repr=False)

    @cached_property
    def gradient(self) -> dict[str, float]:
        """parameter -> the sum over its paths."""
        return {chain.parameter: chain.total for chain in self.chains}

    def mermaid(self) -> str:
        """The graph, with values and slopes in its vertices and partials at its edges, as Mermaid's text."""
        return mermaid(self.graph, *self._numbers)

    def svg(self) -> str:
        """The same as SVG's text."""
        return svg(draw(graph_diagram(self.graph, *self._numbers)))

    @property
    def drawing(self) -> str:
        """The SVG for a page, no wider than that."""
        return self.svg().replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)

    @property
    def _numbers(self) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[str, float]]:
        """Values by name, partials by variable and name, dL/d variable."""
        values = {vertex.name: vertex.value for vertex in self.vertices}
        partials: dict[str, dict[str, float]] = {}
        for partial in self.partials:
            partials.setdefault(partial.of, {})[partial.by] = partial.value
        slopes = {slope.vertex: slope.value for slope in self.backward}
        return {**values, **self.parameters}, partials, slopes

    def __str__(self) -> str:
        return text_of(sheets(self))

    def _repr_html_(self) -> str:
        return self.drawing + html_of(sheets(self))


def explanation(
    graph: Graph, numbers: Numbers, loss_name: str, formula: str, delta: float, most: int = SHOWN_PATHS
) -> Explanation:
    """The explanation of a graph of which these `numbers` were computed, with `most` paths a parameter.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.explain import Numbers, Output, explanation
    >>> partials = {"xy": {"a": 3.0, "x": 2.0}}
    >>> numbers = Numbers(
    ...     {"a": 2.0, "x": 3.0, "xy": 6.0}, partials, partials, {"a": 30.0}, {"a": 30.0},
    ...     (Output("xy", 6.0, 1.0, 10.0),), 25.0,
    ... )
    >>> about = explanation(parse("xy = a*x"), numbers, "mse", "(y - t)^2", 1e-4)
    >>> about.chains[0].total, about.chains[0].paths[0].factors
    (30.0, (10.0, 3.0))
    """
    edges = edges_of(graph, numbers)
    slopes = slopes_down(edges)
    return Explanation(
        loss_name,
        formula,
        numbers.loss,
        delta,
        numbers.outputs,
        tuple(_vertices(graph, numbers)),
        {word: numbers.values[word] for word in graph.parameters},
        tuple(word for word in graph.parameters if word in graph.fixed),
        tuple(_partials(graph, numbers)),
        tuple(_backward(graph, numbers, slopes)),
        tuple(_chains(graph, numbers, edges, slopes, most)),
        graph,
    )


def edges_of(graph: Graph, numbers: Numbers) -> dict[str, Mapping[str, float]]:
    """The edges of a graph as `chain` takes them: from the loss to the outputs, from each variable on.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.explain import Numbers, Output, edges_of
    >>> partials = {"xy": {"a": 3.0}}
    >>> numbers = Numbers({}, partials, partials, {}, {}, (Output("xy", 6.0, 1.0, 10.0),), 25.0)
    >>> edges_of(parse("xy = a*x"), numbers)
    {'L': {'xy': 10.0}, 'xy': {'a': 3.0}}
    """
    backward = {variable: numbers.partials[variable] for variable, _ in reversed(graph.definitions)}
    return {LOSS: {output.name: output.slope for output in numbers.outputs}, **backward}


def _vertices(graph: Graph, numbers: Numbers) -> list[Vertex]:
    equations = {word: "" for word in graph.inputs}
    equations |= {variable: written(e, most=LONGEST) for variable, e in graph.definitions}
    return [
        Vertex(
            word,
            equation,
            tuple(graph.depends_on.get(word, ())),
            tuple(graph.leads_to.get(word, ())),
            numbers.values[word],
        )
        for word, equation in equations.items()
    ]


def _partials(graph: Graph, numbers: Numbers) -> list[Partial]:
    return [
        Partial(
            variable,
            word,
            written(slope, most=LONGEST),
            numbers.partials[variable][word],
            numbers.differences[variable][word],
        )
        for variable, slopes in graph.slopes.items()
        for word, slope in slopes.items()
    ]


def _backward(graph: Graph, numbers: Numbers, slopes: Mapping[str, float]) -> list[Slope]:
    """The vertices that the loss depends on, from the loss back."""
    by_loss = {output.name: output.slope for output in numbers.outputs}
    order = [*graph.inputs, *graph.expressions][::-1]
    return [
        Slope(word, slopes[word], by_loss.get(word), _terms(graph, numbers, slopes, word))
        for word in order
        if word in slopes
    ]


def _terms(graph: Graph, numbers: Numbers, slopes: Mapping[str, float], word: str) -> tuple[Term, ...]:
    users = [user for user in graph.leads_to.get(word, ()) if user in slopes]
    partials = {user: numbers.partials[user][word] for user in users}
    return tuple(Term(u, slopes[u], d, product(slopes[u], d)) for u, d in partials.items())


def _chains(
    graph: Graph, numbers: Numbers, edges: Edges, slopes: Mapping[str, float], most: int
) -> list[Chain]:
    """Those of the parameters that training moves."""
    free = [word for word in graph.parameters if word not in graph.fixed]
    counts, paths = count_paths(edges), largest_paths(edges, free, most)
    return [
        Chain(
            word,
            numbers.values[word],
            counts.get(word, 0),
            tuple(paths[word]),
            _total(edges, slopes, word),
            numbers.gradient[word],
            numbers.gradient_by_differences[word],
        )
        for word in free
    ]


def _total(edges: Edges, slopes: Mapping[str, float], word: str) -> float:
    """The sum over all paths; where infinite ones stand against one another, in the order that is finite."""
    down = slopes.get(word, 0.0)
    if math.isfinite(down):
        return down
    up = slope_up(edges, word)
    return up if math.isfinite(up) else down
