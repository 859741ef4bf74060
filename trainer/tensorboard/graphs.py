"""TensorBoard's Graphs tab: what a model computes, as a GraphDef."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef

from ...kernels.language import Graph
from ...kernels.language.expr import Expr, names, walk, written
from ...kernels.language.notation import spelled
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.mlp import MLPModel

PRODUCER = 22  # of TensorFlow's format of graphs
MOST_TEXT = 500  # characters of an attribute
MOST_PARTS = 5_000  # operations of a graph that are drawn one by one; of larger ones each equation is a node
SAMPLES = -1  # an axis of any size
SCALAR = ()  # where no shape is known, TensorBoard draws edges as wide as it can

Shape = Sequence[int]
Texts = Mapping[str, str]


def graph_def(model: Model) -> GraphDef:
    """What `model` computes of a batch, from its inputs to the loss.

    Equations are scopes with their operations inside, layers of an MLP too. A node's attributes are its text,
    and of an equation its partial derivatives.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = a*x"), torch.ones(1, 1), "mse", None)
    >>> [node.name for node in graph_def(model).node]
    ['inputs/x', 'xy/a', 'xy/xy', 'targets/xy', 'loss']
    """
    nodes = Nodes()
    if isinstance(model, ExpressionModel):
        _add_equations(nodes, model)
    else:
        assert isinstance(model, MLPModel)
        _add_layers(nodes, model)
    return GraphDef(node=nodes.all, versions=VersionDef(producer=PRODUCER))


@dataclass
class Nodes:
    """The nodes of a GraphDef, as they are added."""

    all: list[NodeDef] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def add(
        self,
        place: str,
        op: str,
        inputs: Iterable[str] = (),
        texts: Texts | None = None,
        shape: Shape | None = None,
    ) -> str:
        """Adds a node, with texts as attributes, at SCOPE/NAME or, where one is, NAME_2 -> its place."""
        place = next(free for free in _numbered(place) if free not in self.taken)
        self.taken.add(place)
        attributes = {key: _text(text) for key, text in (texts or {}).items()}
        if shape is not None:
            attributes["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=[_shape(shape)]))
        self.all.append(NodeDef(name=place, op=op, input=inputs, attr=attributes))
        return place


def _add_equations(nodes: Nodes, model: ExpressionModel) -> None:
    """Adds inputs, parameters, the equations in topological order, targets and the loss.

    A parameter of one equation stands in its scope, so that the graph of scopes is that of the variables.
    """
    graph = model.graph
    scopes = unique([*graph.expressions], taken=("inputs", "parameters", "targets", "loss"))
    home = {word: nodes.add(f"inputs/{safe(word)}", "Input", texts={"name": word}) for word in graph.inputs}
    uses = Counter(word for _, expression in graph.definitions for word in names(expression))
    apart = sum(len(walk(expression)) for _, expression in graph.definitions) <= MOST_PARTS
    for variable, expression in graph.definitions:
        for word in names(expression):
            if word not in home:
                scope = scopes[variable] if uses[word] == 1 else "parameters"
                about = {"name": word, **({"fixed": "true"} if word in graph.fixed else {})}
                home[word] = nodes.add(f"{scope}/{safe(word)}", "Parameter", (), about, SCALAR)
        add = _add_operations if apart and expression.args else _add_equation
        home[variable] = add(nodes, scopes[variable], expression, _about(graph, variable), home)
    ends = [nodes.add(f"targets/{safe(word)}", "Target", texts={"name": word}) for word in graph.outputs]
    _add_loss(nodes, model, [*(home[output] for output in graph.outputs), *ends])


def _add_operations(nodes: Nodes, scope: str, root: Expr, about: Texts, home: Texts) -> str:
    """Adds an equation, its operations in a scope -> the place of its value; `home` has those of names."""
    places: dict[Expr, str] = {}
    for number, part in enumerate(walk(root)):
        inputs = [places[operand] for operand in part.args]
        if part.op == "name":
            places[part] = home[str(part.value)]
        elif part is root:
            places[part] = nodes.add(f"{scope}/{scope}", part.op, inputs, about)
        else:
            text = written(part, most=MOST_TEXT)
            places[part] = nodes.add(f"{scope}/{part.op}_{number}", part.op, inputs, {"text": text})
    return places[root]


def _add_equation(nodes: Nodes, scope: str, root: Expr, about: Texts, home: Texts) -> str:
    """Adds an equation as one node -> its place."""
    return nodes.add(f"{scope}/{scope}", "Equation", [home[word] for word in names(root)], about)


def _about(graph: Graph, variable: str) -> dict[str, str]:
    """The attributes of an equation: its text, and its partial derivatives."""
    own = spelled(variable)[0]
    partials = {
        f"d {own} / d {spelled(word)[0]}": written(slope, most=MOST_TEXT)
        for word, slope in graph.slopes[variable].items()
    }
    return {"equation": f"{own} = {written(graph.expressions[variable], most=MOST_TEXT)}", **partials}


def _add_layers(nodes: Nodes, model: MLPModel) -> None:
    """Adds a batch, the layers that it goes through, targets and the loss."""
    batch = nodes.add("inputs", "Input", shape=(SAMPLES, model.widths[0]))
    for layer in range(model.layers):
        batch = _add_layer(nodes, model, layer, batch)
    targets = nodes.add("targets", "Target", shape=(SAMPLES, model.widths[-1]))
    _add_loss(nodes, model, [batch, targets])


def _add_layer(nodes: Nodes, model: MLPModel, layer: int, batch: str) -> str:
    """Adds what a layer does to the place of its input -> the place of its output."""
    before, after = model.widths[layer : layer + 2]
    scope, into, out = f"layer_{layer + 1}", (SAMPLES, before), (SAMPLES, after)
    if layer > 0 and model.dropout is not None:
        rate = ", ".join(f"{rate:g}" for rate in model.dropout.rates.unique().tolist())
        batch = nodes.add(f"{scope}/dropout", "Dropout", [batch], {"rate": rate}, into)
    if layer in model.quantized:
        batch = nodes.add(f"{scope}/quantize", "Quantize", [batch], {"error": model.quantize_error}, into)
    weight = nodes.add(f"{scope}/weight", "Parameter", shape=(after, before))
    batch = nodes.add(f"{scope}/matmul", "MatMul", [batch, weight], {"operands": model.product}, out)
    if model.bias:
        bias = nodes.add(f"{scope}/bias", "Parameter", shape=(after,))
        batch = nodes.add(f"{scope}/bias_add", "BiasAdd", [batch, bias], shape=out)
    if layer < model.layers - 1:
        equation = {"equation": f"a = {model.activation}"}
        batch = nodes.add(f"{scope}/activation", "Activation", [batch], equation, out)
    return batch


def _add_loss(nodes: Nodes, model: Model, inputs: list[str]) -> None:
    loss = model.loss_kind
    equation = {} if loss.formula is None else {"equation": written(loss.formula.root, most=MOST_TEXT)}
    nodes.add("loss", "Loss", inputs, {"kind": loss.name, **equation}, ())


def safe(word: str) -> str:
    """`word` with letters that TensorBoard takes: [A-Za-z0-9.][A-Za-z0-9_.-]*.

    >>> [safe(word) for word in ("x_1", "a/b", "_", "")]
    ['x_1', 'a_b', 'v_', 'v']
    """
    written = re.sub(r"[^A-Za-z0-9_.-]", "_", word)
    return written if re.match(r"[A-Za-z0-9.]", written) else f"v{written}"


def unique(words: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """word -> a safe name, each another and none `taken`.

    >>> unique(["a/b", "a b", "loss"], taken=["loss"])
    {'a/b': 'a_b', 'a b': 'a_b_2', 'loss': 'loss_2'}
    """
    result: dict[str, str] = {}
    used = set(taken)
    for word in words:
        result[word] = next(free for free in _numbered(safe(word)) if free not in used)
        used.add(result[word])
    return result


def _numbered(word: str) -> Iterator[str]:
    yield word
    number = 2
    while True:
        yield f"{word}_{number}"
        number += 1


def _shape(shape: Shape) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])


def _text(text: str) -> AttrValue:
    return AttrValue(s=text[:MOST_TEXT].encode(errors="replace"))
