"""What TensorBoard's Graphs tab is given: names that it takes, and edges that lead somewhere."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.graph_pb2 import GraphDef

from packtrain.kernels.dropout import Dropout
from packtrain.kernels.language import Graph, parse
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import layout
from packtrain.trainer.tensorboard import graphs as module
from packtrain.trainer.tensorboard.events import EventFiles
from packtrain.trainer.tensorboard.graphs import graph_def, unique
from tests.strategies import few, graphs

NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_./-]*")  # what TensorFlow takes
PRIMER = "xx = xa^2\nxy = ab*xx + ac*xa\nxz = bc*xx + xy\nxw = cd*xx + xz^3"


def of(graph: Graph) -> GraphDef:
    return graph_def(ExpressionModel(graph, torch.ones(1, len(graph.parameters)), "mse", None))


def perceptron(widths: list[int], bias: bool = True, quantized: tuple[int, ...] = ()) -> MLPModel:
    count = sum(shape.numel() for shape in map(torch.Size, layout(widths, bias).values()))
    return MLPModel(torch.zeros(1, count), widths, bias, "cross_entropy", quantized, activation="tanh")


def check(definition: GraphDef) -> None:
    """Every name is one of TensorFlow's, stands once, and is no scope of others; every edge has a start."""
    names = [node.name for node in definition.node]
    assert all(NAME.fullmatch(name) for name in names)
    assert len(names) == len(set(names))
    scopes = {name[:place] for name in names for place, letter in enumerate(name) if letter == "/"}
    assert not scopes & set(names)
    assert {start for node in definition.node for start in node.input} <= set(names)


@few
@given(graphs())
def test_every_graph_has_names_that_tensorboard_takes(graph: Graph) -> None:
    definition = of(graph)
    check(definition)
    assert GraphDef.FromString(definition.SerializeToString()) == definition
    operations = {node.name.partition("/")[0] for node in definition.node}
    assert operations >= {"loss", "targets", *graph.expressions}


def test_operations_stand_inside_their_variable() -> None:
    definition = of(parse(PRIMER))
    nodes = {node.name: node for node in definition.node}
    check(definition)
    assert [*nodes["xw/xw"].input] == ["xw/mul_2", "xw/pow_5"]
    assert [*nodes["xw/mul_2"].input] == ["xw/cd", "xx/xx"]
    assert nodes["xw/xw"].attr["d xw / d xz"].s == b"3*xz^2"
    assert [*nodes["loss"].input] == ["xw/xw", "targets/xw"]
    assert nodes["loss"].attr["equation"].s == b"(y - t)^2"


def test_a_parameter_of_several_equations_stands_outside_them() -> None:
    definition = of(parse("xz = a*x\nxy = a*xz + mul_2*xz + b"))
    check(definition)
    parameters = [node.name for node in definition.node if node.op == "Parameter"]
    assert parameters == ["parameters/a", "xy/mul_2", "xy/b"]


def test_names_of_a_file_are_made_safe() -> None:
    words = ["a/b", "a b", "<b>&\"'", "_", "ä", "", "loss", "inputs"]
    equations = [f"`out {n}` = k*`{word}`" for n, word in enumerate(words) if word]
    graph = parse(equations, variables=[*filter(None, words), *(f"out {n}" for n in range(len(words)))])
    definition = of(graph)
    check(definition)
    told = {node.attr["name"].s.decode() for node in definition.node if node.op == "Input"}
    assert told == set(words) - {""}


@few
@given(st.lists(st.text(max_size=4), unique=True, max_size=6), st.sets(st.text("ab_2", max_size=4)))
def test_unique_names(words: list[str], taken: set[str]) -> None:
    names = unique(words, taken)
    assert [*names] == words and len({*names.values()}) == len(words)
    assert not taken & {*names.values()}
    assert all(NAME.fullmatch(name) and "/" not in name for name in names.values())


def test_equations_of_a_very_large_graph_are_a_node_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PARTS", 10)
    definition = of(parse(PRIMER))
    check(definition)
    assert [node.op for node in definition.node].count("Equation") == 4


def test_a_perceptron_has_a_scope_a_layer_with_shapes() -> None:
    model = perceptron([64, 32, 16, 10], quantized=(0,))
    model.dropout = Dropout.make([0.25], torch.float32)
    definition = graph_def(model)
    check(definition)
    nodes = {node.name: node for node in definition.node}
    shape = nodes["layer_1/activation"].attr["_output_shapes"].list.shape[0]
    assert [dim.size for dim in shape.dim] == [-1, 32]
    assert [*nodes["layer_1/matmul"].input] == ["layer_1/quantize", "layer_1/weight"]
    assert [*nodes["layer_2/matmul"].input] == ["layer_2/dropout", "layer_2/weight"]
    assert [*nodes["loss"].input] == ["layer_3/bias_add", "targets"]
    assert nodes["layer_2/dropout"].attr["rate"].s == b"0.25"
    assert "layer_3/activation" not in nodes and "layer_1/dropout" not in nodes


def test_a_layer_without_bias_ends_with_its_product() -> None:
    definition = graph_def(perceptron([3, 2], bias=False))
    assert [node.name for node in definition.node] == [
        "inputs",
        "layer_1/weight",
        "layer_1/matmul",
        "targets",
        "loss",
    ]


def test_an_event_file_holds_the_graph(tmp_path: Path) -> None:
    definition = of(parse(PRIMER))
    files = EventFiles([tmp_path])
    files.begin()
    files.add_graph(0, definition)
    files.flush()
    events = [*LegacyEventFileLoader(str(files.paths[0])).Load()]
    assert GraphDef.FromString(events[-1].graph_def) == definition
