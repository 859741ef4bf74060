"""A diagram as a picture: columns from left to right, and where they are too many, below one another."""

from math import ceil, sqrt

from .diagram import Diagram
from .drawing import Box, Drawing, Text, Wire
from .panel import Panel, lines
from .parts import cut, parts

ACROSS, PER_ROOT = 1500.0, 140.0  # pixels that a picture is hardly wider than; by the root of its boxes
MARGIN, HEAD, CAPTION = 22.0, 34.0, 17.0
APART = 40.0  # between what stands below one another
COLUMN, SHAPE = 8, 2.5  # boxes of a column at least; how much wider than high a box is with its way
FEW = 24  # boxes up to which edges lead as far as they have to
GAP, CLOSE, REACH = 22.0, 12.0, 2  # between few boxes, between many; columns over which their edges lead
ELSEWHERE = "A name before an arrow: that of a box further left, or above."


def draw(diagram: Diagram) -> Drawing:
    """The picture of a diagram, hardly wider than ACROSS, or of many boxes a bit wider.

    >>> from packtrain.kernels.diagrams import graph_diagram
    >>> from packtrain.kernels.language import parse
    >>> drawing = draw(graph_diagram(parse("xy = a*xa")))
    >>> [text.text for text in drawing.texts if text.role == "label"], len(drawing.wires)
    (['a'], 1)
    """
    count = len(diagram.vertices)
    most = max(COLUMN, ceil(sqrt(SHAPE * count)))
    gap, reach = (GAP, count) if count <= FEW else (CLOSE, REACH)
    boxes: list[Box] = []
    wires: list[Wire] = []
    labels: list[Text] = []
    top, is_cut = MARGIN + HEAD, False
    for part, level in parts(diagram, most, max(ACROSS, PER_ROOT * sqrt(count))):
        panel = Panel(cut(part, level, reach), level, MARGIN, top, gap)
        boxes += panel.boxes()
        wires += panel.wires()
        labels += panel.labels()
        top = panel.bottom + APART
        is_cut |= bool(panel.stubs)
    inside = [text for box in boxes for text in lines(box)]
    heading = Text(MARGIN, MARGIN + 10, diagram.title, "heading", "start")
    captions = [
        Text(MARGIN, top + CAPTION * number, caption, "caption", "start")
        for number, caption in enumerate([*diagram.captions, *[ELSEWHERE] * is_cut])
    ]
    texts = heading, *labels, *inside, *captions
    right = max([*(text.bounds[0] + text.bounds[2] for text in texts), *(box.x + box.width for box in boxes)])
    bottom = captions[-1].y if captions else top - APART
    shapes = tuple(boxes), tuple(wires), texts
    return Drawing(right + MARGIN, bottom + MARGIN, *shapes, diagram.title, diagram.about)
