"""Generated kernels carry no user text: with every name replaced, the same sources come out."""

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given

from packtrain.kernels.descent.triton import source as fused_triton
from packtrain.kernels.expression import llvm_source, triton_source, triton_triangle_source
from packtrain.kernels.language import Graph, parse
from packtrain.kernels.language.expr import Expr, name, substitute
from packtrain.kernels.loss import loss_of
from tests.strategies import few, graphs

# Legal in the language, and something else in Python, in the sources themselves or in a shell.
HOSTILE: tuple[str, ...] = (
    "import", "lambda", "def", "None", "eval", "exec", "open", "print", "os", "np", "tl", "njit", "triton",
    "libdevice", "inf", "nan", "zero", "one", "total", "p0", "v1", "s0", "g0", "e0", "dtype", "p_ptr",
    "BLOCK", "float", "each", "predict", "E5", "Q" * 3000,
)  # fmt: skip
HOSTILE_VARIABLES: tuple[str, ...] = (
    "x0", "x\"\"\"'); import os  # é", "x_ptr", "x", "x_0", "xor", "x_block", "x__class__", "x" * 3000,
)  # fmt: skip


def sources(graph: Graph) -> Iterator[str]:
    """Everything that is compiled for a graph, on any engine and backend."""
    yield llvm_source.predict_source(graph, "float")
    yield llvm_source.rows_source(graph, weighted=True)
    yield triton_triangle_source.triangle_source(graph, weighted=True)
    for shared in (True, False):
        yield triton_source.predict_source(graph, shared)
        yield triton_source.squares_source(graph, shared, weighted=shared)
    for loss in map(loss_of, ("huber", "cross_entropy")):
        yield llvm_source.sums_source(graph, loss, "double")
        yield triton_source.loss_source(graph, loss, shared=True)
        yield fused_triton.graph_training(graph, loss, itemsize=4).source


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """`graph` with other names."""
    definitions = dict(zip((names[v] for v in graph.expressions), _expressions(graph, names), strict=True))
    lines = {variable: f"{variable} = {expression}" for variable, expression in definitions.items()}
    return Graph.build(definitions, [names[output] for output in graph.outputs], lines)


def _expressions(graph: Graph, names: Mapping[str, str]) -> list[Expr]:
    return substitute(graph.expressions.values(), {old: name(new) for old, new in names.items()})


def hostile_names(graph: Graph) -> dict[str, str]:
    """A hostile name for each of the graph's."""
    variables = [*graph.inputs, *graph.expressions]
    words = dict(zip(variables, HOSTILE_VARIABLES, strict=False))
    return words | dict(zip(graph.parameters, HOSTILE, strict=False))


@few
@given(graphs())
def test_names_make_no_difference_to_any_source(graph: Graph) -> None:
    other = renamed(graph, hostile_names(graph))
    assert other != graph
    assert list(sources(other)) == list(sources(graph))


@pytest.mark.parametrize("count", [1, 7, len(HOSTILE)])
def test_every_hostile_name_is_a_number_in_the_sources(count: int) -> None:
    plain, hostile = (
        "\n".join(
            [f"{y} = " + " + ".join(f"{p}*{x}" for p in parameters[:count]), f"{z} = {y}*{parameters[0]}"]
        )
        for x, y, z, parameters in (
            ("xa", "xb", "xc", [f"a{i}" for i in range(len(HOSTILE))]),
            ("x__class__", "xor", "x0", HOSTILE),
        )
    )
    assert list(sources(parse(hostile))) == list(sources(parse(plain)))


def test_a_name_in_a_source_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment would do."""
    honest = llvm_source.predict_source
    monkeypatch.setattr(
        llvm_source, "predict_source", lambda graph, kind: f"; {graph}\n{honest(graph, kind)}"
    )
    graph = parse("xy = a*x")
    other = renamed(graph, {"xy": "xy", "x": "x", "a": "b"})
    assert list(sources(other)) != list(sources(graph))
