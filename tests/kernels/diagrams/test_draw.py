"""Pictures of diagrams: nothing overlaps, wires run from left to right, and nothing that is known is lost."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.diagrams import Diagram, Drawing, draw, graph_diagram, perceptron_diagram
from packtrain.kernels.diagrams.diagram import Edge, Line, Vertex
from packtrain.kernels.diagrams.draw import ACROSS
from packtrain.kernels.diagrams.drawing import Point
from packtrain.kernels.diagrams.panel import lines
from packtrain.kernels.language import parse
from tests.strategies import few

Bounds = tuple[float, float, float, float]  # x, y, width, height
PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"
LETTERS = st.text("abx*+ (", min_size=1, max_size=30)


@st.composite
def diagrams(draw: st.DrawFn, most: int = 30) -> Diagram:
    """Any vertices, each with edges from some of those before it."""
    count = draw(st.integers(1, most))
    names = [f"v{number}" for number in range(count)]
    edges: list[Edge] = []
    for number, name in enumerate(names):
        starts = draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else ()
        edges += [Edge(names[start], name, draw(st.just("") | LETTERS)) for start in sorted(starts)]
    vertices = {name: Vertex((Line(draw(LETTERS)), Line("0.5", "value")), "inner", name) for name in names}
    return Diagram(vertices, tuple(edges), "title")


def chain(length: int) -> Diagram:
    return graph_diagram(parse([f"x{i + 1} = a{i}*sin(x{i}) + b{i}" for i in range(length)]))


def rectangles(drawing: Drawing) -> list[Bounds]:
    return [(box.x, box.y, box.width, box.height) for box in drawing.boxes]


def outside(drawing: Drawing) -> list[Bounds]:
    """Of the texts that aren't in boxes."""
    return [text.bounds for text in drawing.texts if text.role in ("label", "start", "heading", "caption")]


def overlap(one: Bounds, other: Bounds) -> bool:
    return all(
        one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )


def around(start: Point, end: Point) -> Bounds:
    return start[0], min(start[1], end[1]) - 1, end[0] - start[0], abs(end[1] - start[1]) + 2


def curve(start: Point, end: Point) -> Iterator[Point]:
    """Points of the Bezier curve between two that is level at both."""
    (x, y), (to_x, to_y) = start, end
    for t in (step / 20 for step in range(21)):
        yield x + (to_x - x) * (1.5 * t * (1 - t) + t**3), y + (to_y - y) * (3 * t**2 - 2 * t**3)


def check(drawing: Drawing) -> None:
    """Boxes and texts are apart, inside the picture, and no wire crosses any."""
    boxes, texts = rectangles(drawing), outside(drawing)
    for one, other in combinations(boxes + texts, 2):
        assert not overlap(one, other), (one, other)
    for x, y, width, height in boxes + texts:
        assert x >= 0 and y >= 0 and x + width <= drawing.width and y + height <= drawing.height
    for wire in drawing.wires:
        xs = [x for x, _ in wire.points]
        assert xs == sorted(xs) and xs[0] < xs[-1]
        for start, end in pairwise(wire.points):
            near = [bounds for bounds in boxes + texts if overlap(bounds, around(start, end))]
            for x, y in curve(start, end) if near else ():
                assert not any(left + 1 < x < left + w - 1 and top < y < top + h for left, top, w, h in near)
    for box in drawing.boxes:
        inside = [text.bounds for text in lines(box)]
        assert all(box.x < x and x + width < box.x + box.width for x, _, width, _ in inside)
        assert all(box.y < y and y + height < box.y + box.height for _, y, _, height in inside)


@few
@given(diagrams())
def test_nothing_overlaps(diagram: Diagram) -> None:
    drawing = draw(diagram)
    check(drawing)
    assert len(drawing.boxes) == len(diagram.vertices)
    assert sum(wire.arrow for wire in drawing.wires) == len(diagram.edges)
    labels = [text.text for text in drawing.texts if text.role == "label"]
    assert sorted(labels) == sorted(edge.label for edge in diagram.edges if edge.label)
    assert draw(diagram) == drawing


def test_a_graph_is_drawn_as_in_the_lecture() -> None:
    values = {"xa": 0.472, "xx": 0.222784, "ab": 0.399}
    drawing = draw(graph_diagram(parse(PRIMER), values, {"xw": {"xz": 1.34}}, {"xz": -45.41}))
    check(drawing)
    texts = {text.text for text in drawing.texts}
    assert texts >= {"xx = xa^2", "0.22278", "dL/d xz = -45.41", "3*xz^2 = 1.34", "ab = 0.399", "bc", "1"}
    left = {box.vertex.short: box.x for box in drawing.boxes}
    assert sorted(left, key=left.__getitem__) == ["xa", "xx", "xy", "xz", "xw"]
    kinds = [box.vertex.kind for box in drawing.boxes]
    assert kinds == ["input", "inner", "inner", "inner", "output"]


def test_a_chain_stands_below_itself_and_names_where_it_goes_on() -> None:
    drawing = draw(chain(30))
    check(drawing)
    assert drawing.width < 1.2 * ACROSS and len({box.y for box in drawing.boxes}) > 5
    starts = [text.text for text in drawing.texts if text.role == "start"]
    assert len(starts) == len(set(starts)) > 4 and set(starts) <= {f"x{i}" for i in range(31)}


def test_a_long_equation_and_many_inputs_are_cut() -> None:
    terms = " + ".join(f"a{i}*exp(-b{i}*(x - c{i})^2)" for i in range(60))
    drawing = draw(graph_diagram(parse(f"xy = {terms}")))
    check(drawing)
    assert drawing.width < ACROSS and drawing.height < 500
    wide = draw(graph_diagram(parse("xy = " + " + ".join(f"a{i}*x{i}" for i in range(200)))))
    check(wide)
    assert wide.width < 2 * ACROSS and wide.height < 3 * ACROSS
    assert not any(text.role == "label" for text in wide.texts)


def test_of_two_hundred_vertices_all_is_apart() -> None:
    draw_from = random.Random(1)
    words, equations = ["xi0", "xi1", "xi2"], []
    for number in range(200):
        used = draw_from.sample(words, draw_from.randint(1, 3))
        equations.append(f"xv{number} = a + " + " + ".join(f"tanh({word})" for word in used))
        words.append(f"xv{number}")
    drawing = draw(graph_diagram(parse(equations)))
    check(drawing)
    assert max(drawing.width, drawing.height) < 4_000


def test_fixed_parameters_and_what_is_known_of_others_stand_below_their_equation() -> None:
    graph = replace(parse("y = a*exp(-k*t) + c", variables=["y", "t"]), fixed=frozenset("c"))
    vertex = graph_diagram(graph, parameters={"a": "2 ± 0.1", "c": "1"}).vertices["y"]
    assert [line.text for line in vertex.lines] == ["y = a*exp(-k*t) + c", "a = 2 ± 0.1, c = 1 (fixed)"]
    many = graph_diagram(
        parse("xy = x*(" + " + ".join(f"a{i}" for i in range(20)) + ")"), {f"a{i}": i for i in range(20)}
    )
    assert [line.text for line in many.vertices["xy"].lines][-1].endswith("and 8 more")


def test_numbers_that_are_none() -> None:
    diagram = graph_diagram(parse("xy = a*x"), {"x": math.inf, "xy": math.nan}, {"xy": {"x": -1e-300}})
    check(draw(diagram))
    assert [line.text for line in diagram.vertices["xy"].lines] == ["xy = a*x", "nan"]
    assert diagram.edges[0].label == "a = -1e-300"


def test_perceptrons() -> None:
    diagram = perceptron_diagram([64, 32, 16, 10], "tanh", "mse", bias=False, dropout="0.25", quantized=(1,))
    check(draw(diagram))
    assert [edge.label for edge in diagram.edges] == ["", "dropout 0.25, uint8", "dropout 0.25", ""]
    assert diagram.title == "MLP 64-32-16-10, 2,720 parameters"
    check(draw(perceptron_diagram([3] * 100, "where(z > 0, z, expm1(z) - 0.123456789*z)", "mse")))
