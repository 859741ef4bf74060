"""Mermaid's text of a graph: statements of its grammar, in which no name means anything."""

import html
import re

from hypothesis import given

from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.mermaid import mermaid
from tests.strategies import few, graphs

TEXT = r"(?:[\w =,.()/…]|#\d+;|<br>)+"  # of flow.jison's string, without what Markdown or HTML might read
STATEMENT = re.compile(
    rf'  v\d+(?:\["{TEXT}"\]|\(\["{TEXT}"\]\)):::\w+|  v\d+ -->(?:\|"{TEXT}"\|)? v\d+|  classDef \w+ [\w:,#]+'
)
HOSTILE = ["<b>&amp;", "_it_*al*", "1. x", "end", "#35;", "style:x#y;", "%%{init}", 'a"]', "温度", "]]>"]


def shown(text: str) -> str:
    """What a reader sees of it."""
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", text))


@few
@given(graphs())
def test_every_graph_is_made_of_statements(graph: Graph) -> None:
    first, *statements = mermaid(graph).splitlines()
    assert first == "graph LR"
    assert all(STATEMENT.fullmatch(statement) for statement in statements)
    edges = sum(map(len, graph.depends_on.values()))
    assert sum("-->" in statement for statement in statements) == edges


def test_names_of_files_are_only_shown() -> None:
    terms = (f"k{place}*`{name}`" for place, name in enumerate(HOSTILE))
    text = mermaid(parse([f"y = {' + '.join(terms)}"], variables=["y", *HOSTILE]))
    assert all(STATEMENT.fullmatch(statement) for statement in text.splitlines()[1:])
    inputs = re.findall(r'\(\["(.*)"\]\)', text)
    assert [shown(name).strip("`") for name in inputs] == HOSTILE


def test_what_is_known_of_a_sample_is_told() -> None:
    text = mermaid(parse("xz = a*x\nxy = xz^2"), {"x": 3.0, "a": 2.0}, {"xy": {"xz": 12.0}}, {"xz": 24.0})
    assert '  v1["xz = a#42;x<br>dL/d xz = 24<br>a = 2"]:::inner' in text.splitlines()
    assert '  v1 -->|"2#42;xz = 12"| v2' in text.splitlines()
