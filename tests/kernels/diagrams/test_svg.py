"""Diagrams as SVG: well-formed whatever the names, and nothing but shapes and letters."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.diagrams import Diagram, draw, graph_diagram, svg
from packtrain.kernels.diagrams.diagram import Edge, Line, Vertex
from packtrain.kernels.diagrams.palette import BACKGROUND
from packtrain.kernels.language import parse
from packtrain.trainer.pictures.style import PAPER
from tests.strategies import few

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {f"{SVG}{tag}" for tag in ("svg", "g", "title", "desc", "rect", "path", "text")}
HOSTILE = ("<script>alert(1)</script>", "a & b", "\"'", "]]>", "<!--", "温度", "\x00\x08\ufffe", "&amp;")


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def diagram_of(one: str, other: str) -> Diagram:
    vertices = {name: Vertex((Line(name),), "inner", name, name) for name in ("a", "b")}
    vertices["b"] = Vertex((Line(other),), "output", other, other)
    return Diagram(vertices, (Edge("a", "b", one, other),), one, other, (other,))


@few
@given(st.text(), st.text() | st.sampled_from(HOSTILE))
def test_any_text_is_well_formed(one: str, other: str) -> None:
    root = ElementTree.fromstring(svg(draw(diagram_of(one, other))).encode())
    assert {element.tag for element in root.iter()} <= SHAPES
    assert len(list(root.iter(f"{SVG}rect"))) == 3


def test_names_of_files_stay_as_they_are() -> None:
    names = ["<script>", "a & b", "\"'", "温度", "]]>"]
    graph = parse(
        ["y = " + " + ".join(f"k{i}*`{name}`" for i, name in enumerate(names))], variables=["y", *names]
    )
    root = ElementTree.fromstring(svg(draw(graph_diagram(graph))))
    assert set(texts(root)) >= {f"`{name}`" for name in names} | {"k0"}


def test_a_picture_says_what_it_shows_and_is_opaque() -> None:
    root = ElementTree.fromstring(svg(draw(graph_diagram(parse("xz = a*x\nxy = xz^2"), title="two"))))
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{SVG}title") == "two" and "xz = a*x" in (root.findtext(f"{SVG}desc") or "")
    background = root.find(f"{SVG}rect")
    assert background is not None and background.attrib["fill"] == BACKGROUND == PAPER
    assert [background.attrib[side] for side in ("width", "height")] == root.attrib["viewBox"].split()[2:]
    assert any("2*xz" in (about.text or "") for about in root.iter(f"{SVG}title"))
