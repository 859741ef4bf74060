"""A graph as Mermaid's text, which GitHub, GitLab and many notebooks draw."""

from collections.abc import Mapping

from .expr import written
from .graph import Graph

LONGEST = 60  # characters of an equation


def mermaid(
    graph: Graph,
    values: Mapping[str, float] | None = None,
    partials: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """The vertices with their equations, and `values` by name; `partials` stand at the edges.

    `partials` are variable -> name -> d variable/d name.

    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.language.mermaid import mermaid
    >>> print(mermaid(parse("xy = a*x"), {"x": 3.0, "xy": 6.0}, {"xy": {"x": 2.0, "a": 3.0}}))
    graph LR
      v0(["x<br>= 3"])
      v1["xy = a*x<br>= 6"]
      v2{{"a"}}
      v0 -->|2| v1
      v2 -.->|3| v1
    """
    values, partials = values or {}, partials or {}
    words = [*graph.inputs, *graph.expressions, *graph.parameters]
    places = {word: f"v{place}" for place, word in enumerate(words)}
    lines = ["graph LR"]
    lines += [f"  {places[word]}{_node(graph, word, values)}" for word in words]
    for variable, own in graph.slopes.items():
        for word in sorted(own, key=words.index):
            slope = partials.get(variable, {}).get(word)
            label = "" if slope is None else f"|{slope:.4g}|"
            arrow = "-->" if graph.is_variable(word) else "-.->"
            lines.append(f"  {places[word]} {arrow}{label} {places[variable]}")
    return "\n".join(lines)


def _node(graph: Graph, word: str, values: Mapping[str, float]) -> str:
    text = word
    if word in graph.expressions:
        text = f"{word} = {written(graph.expressions[word], most=LONGEST)}"
    value = f"<br>= {values[word]:.4g}" if word in values else ""
    inside = f'"{_escaped(text)}{value}"'
    if word in graph.expressions:
        return f"[{inside}]"
    return f"([{inside}])" if graph.is_variable(word) else "{{" + inside + "}}"


def _escaped(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
