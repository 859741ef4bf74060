"""A graph as a diagram: equations in the boxes, partial derivatives on the edges."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..language.expr import names, written
from ..language.graph import Graph
from ..language.notation import spelled
from .diagram import Diagram, Edge, Line, Vertex
from .text import number, shortened, wrapped

MOST_ABOUT = 2_000  # letters, of what is said to those who can't see
MOST_PARAMETERS = 12  # of a box
MOST_LABELS = 36  # of the edges into a box
ACROSS = 34  # letters of a line of notes

Partials = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Detail:
    """How much is written: letters of a line and lines of an equation, and letters of a partial."""

    across: int
    lines: int
    partial: int


FEW, SOME, MANY = Detail(44, 8, 34), Detail(34, 2, 18), Detail(26, 1, 0)


def graph_diagram(
    graph: Graph,
    values: Mapping[str, float] | None = None,
    partials: Partials | None = None,
    slopes: Mapping[str, float] | None = None,
    parameters: Mapping[str, str] | None = None,
    title: str = "",
) -> Diagram:
    """The graph, with as much as is known of one sample.

    values: of variables and parameters, by name. partials: variable -> name -> d variable / d name.
    slopes: variable -> dL / d variable. parameters: what stands of each below the equations that have it, its
    value where nothing is given. Of a larger graph less is written: long equations and partial derivatives
    are cut, of more than 80 variables no partial derivative is written.

    >>> from packtrain.kernels.language import parse
    >>> diagram = graph_diagram(parse("xz = a*x\\nxy = xz^2"), {"x": 3, "xz": 6, "xy": 36, "a": 2})
    >>> [line.text for line in diagram.vertices["xz"].lines]
    ['xz = a*x', '6', 'a = 2']
    >>> [(edge.start, edge.end, edge.label) for edge in diagram.edges]
    [('x', 'xz', 'a'), ('xz', 'xy', '2*xz')]
    """
    size = len(graph.inputs) + len(graph.definitions)
    detail = FEW if size <= 24 else SOME if size <= 80 else MANY
    known = values or {}
    if parameters is None:
        parameters = {word: number(known[word], 4) for word in graph.parameters if word in known}
    vertices = {
        word: _vertex(graph, word, detail, known, slopes or {}, parameters)
        for word in (*graph.inputs, *graph.expressions)
    }
    edges = tuple(_edges(graph, detail, partials or {}))
    captions = ["On an edge: the derivative of where it ends by where it starts."] if detail.partial else []
    return Diagram(vertices, edges, title or _title(graph), _about(graph), tuple(captions))


def _vertex(
    graph: Graph,
    word: str,
    detail: Detail,
    values: Mapping[str, float],
    slopes: Mapping[str, float],
    parameters: Mapping[str, str],
) -> Vertex:
    own = spelled(word)[0]
    expression = graph.expressions.get(word)
    text = own if expression is None else f"{own} = {written(expression, most=MOST_ABOUT)}"
    lines = [Line(part) for part in wrapped(text, detail.across, detail.lines)]
    if word in values:
        lines.append(Line(number(values[word]), "value"))
    if word in slopes:
        lines.append(Line(f"dL/d {shortened(own, 12)} = {number(slopes[word], 4)}", "slope"))
    if expression is not None:
        lines += [Line(part, "note") for part in _parameters(graph, word, parameters)]
    kind = "output" if word in graph.outputs else "input" if expression is None else "inner"
    return Vertex(tuple(lines), kind, shortened(own, detail.across), text)


def _parameters(graph: Graph, word: str, known: Mapping[str, str]) -> list[str]:
    """Lines of the parameters of an equation of which something is known."""
    own = [leaf for leaf in names(graph.expressions[word]) if not graph.is_variable(leaf)]
    texts = [text for leaf in own if (text := _parameter(graph, leaf, known))]
    hidden = len(texts) - MOST_PARAMETERS
    return _filled([*texts[:MOST_PARAMETERS], *[f"and {hidden} more"] * (hidden > 0)])


def _parameter(graph: Graph, leaf: str, known: Mapping[str, str]) -> str:
    """A parameter's value and whether it is fixed, empty where neither is to be said."""
    value = [f"= {known[leaf]}"] if leaf in known else []
    fixed = ["(fixed)"] if leaf in graph.fixed else []
    return " ".join([shortened(spelled(leaf)[0], ACROSS), *value, *fixed]) if value or fixed else ""


def _filled(texts: list[str]) -> list[str]:
    """As many texts to a line as it takes."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(text) + 2 <= ACROSS:
            lines[-1] += f", {text}"
        else:
            lines.append(text)
    return lines


def _edges(graph: Graph, detail: Detail, partials: Partials) -> Iterator[Edge]:
    for variable in graph.expressions:
        starts = graph.depends_on[variable]
        most = detail.partial if len(starts) <= MOST_LABELS else 0
        for word in starts:
            text = written(graph.slopes[variable][word], most=MOST_ABOUT)
            value = partials.get(variable, {}).get(word)
            what = f"d {spelled(variable)[0]} / d {spelled(word)[0]}"
            about = " = ".join([what, text, *([] if value is None else [number(value)])])
            yield Edge(word, variable, _label(text, value, most), about)


def _label(text: str, value: float | None, most: int) -> str:
    """FORMULA = VALUE, or of a long formula the value alone; the formula alone where that is a number."""
    if not most:
        return ""
    if value is None or _is_number(text):
        return shortened(text, most)
    whole = f"{text} = {number(value, 4)}"
    return whole if len(whole) <= most else number(value, 4)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _title(graph: Graph) -> str:
    counts = (len(graph.definitions), "equation"), (len(graph.inputs), "input")
    counts = *counts, (len(graph.parameters), "parameter")
    return ", ".join(f"{count:,} {word}{'s' * (count != 1)}" for count, word in counts)


def _about(graph: Graph) -> str:
    outputs = ", ".join(spelled(output)[0] for output in graph.outputs)
    return shortened(f"{str(graph)[:MOST_ABOUT]}\nThe data are compared with {outputs}.", MOST_ABOUT)
