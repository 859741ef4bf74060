"""An MLP as a diagram: a box a layer, with its width, its activation and its parameters."""

from collections.abc import Collection, Sequence
from itertools import pairwise

from .diagram import Diagram, Edge, Line, Vertex
from .text import MORE, shortened

ACROSS = 34  # letters of a line
MOST_WIDTHS = 8  # in the title


def perceptron_diagram(
    widths: Sequence[int],
    activation: str,
    loss: str,
    bias: bool = True,
    dropout: str = "",
    quantized: Collection[int] = (),
) -> Diagram:
    """The layers of an MLP of `widths` [inputs, hidden..., outputs], from its inputs to the loss.

    activation: what stands between layers. dropout: the rate, empty for none. quantized: the layers whose
    input is cast to uint8.

    >>> diagram = perceptron_diagram([64, 32, 10], "relu", "cross_entropy")
    >>> [line.text for line in diagram.vertices["layer 1"].lines]
    ['layer 1', '32 wide', 'relu', '2,080 parameters']
    >>> diagram.title
    'MLP 64-32-10, 2,410 parameters'
    """
    layers = len(widths) - 1
    counts = [before * after + bias * after for before, after in pairwise(widths)]
    vertices = {"inputs": _vertex("input", "inputs", f"{widths[0]:,} wide")}
    for layer, (after, count) in enumerate(zip(widths[1:], counts, strict=True), 1):
        is_last = layer == layers
        then = [] if is_last else [shortened(activation, ACROSS)]
        kind, own = "output" if is_last else "inner", f"layer {layer}"
        plural = "s" * (count != 1)
        vertices[own] = _vertex(kind, own, f"{after:,} wide", *then, note=f"{count:,} parameter{plural}")
    vertices["loss"] = _vertex("input", "loss", shortened(loss, ACROSS))
    labels = [_label(layer, dropout, layer in quantized) for layer in range(layers)]
    edges = tuple(
        Edge(start, end, label) for (start, end), label in zip(pairwise(vertices), [*labels, ""], strict=True)
    )
    shape = "-".join(map(str, widths if len(widths) <= MOST_WIDTHS else (*widths[:3], MORE, widths[-1])))
    title = f"MLP {shape}, {sum(counts):,} parameters"
    about = f"{title}. Activation: {activation}. Loss: {loss}." + f" Dropout: {dropout}." * bool(dropout)
    return Diagram(vertices, edges, title, about)


def _vertex(kind: str, own: str, *lines: str, note: str = "") -> Vertex:
    shown = (Line(own), *(Line(line, "value") for line in lines), *[Line(note, "note")] * bool(note))
    return Vertex(shown, kind, own, ", ".join([own, *lines, *[note] * bool(note)]))


def _label(layer: int, dropout: str, is_quantized: bool) -> str:
    """What becomes of a layer's input."""
    dropped = [f"dropout {dropout}"] if dropout and layer else []
    return ", ".join([*dropped, *["uint8"] * is_quantized])
