"""The picture of what trains: the graph of its equations, or the layers of its MLP, as SVG and PNG."""

from collections.abc import Iterator, Sequence
from dataclasses import replace as with_parts
from itertools import pairwise
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from ...kernels.diagrams import Diagram, draw, graph_diagram, perceptron_diagram, svg
from ...kernels.diagrams.boxes import ARROW, SIZES
from ...kernels.diagrams.drawing import Box, Drawing, Point, Wire
from ...kernels.diagrams.palette import BACKGROUND, FILL, INK, LINE, wire_colour
from ...kernels.diagrams.text import number, shortened
from ..engines.rows import Row
from ..folder.atomic import replace
from ..folder.result import Result
from ..models.expression import ExpressionModel
from ..models.mlp import MLPModel

MOST_BOXES, MOST_TITLE = 400, 110  # of a picture, and letters of its title
PIXELS, SHARP = 72, 2.0  # of a drawing's to an inch, which make so many of the PNG's
MOST_PIXELS = 3_000  # of a side, before it is less sharp
ALIGNED = {"start": "left", "middle": "center", "end": "right"}
FONT = "DejaVu Sans Mono"  # matplotlib's own


def draw_graph(result: Result, file: Path, run: int | None = None) -> bool:
    """Draws what trained as SVG or as PNG, by the file's name -> whether it did: not of more than MOST_BOXES.

    Equations have the parameters of `run` below them, of the best one where none is named, and partial
    derivatives on the edges.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("mlp", widths=[1, 4, 1]),
    ...     data=DataConfig("table", table={"x": [1, 2], "target": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> with TemporaryDirectory() as folder:
    ...     draw_graph(session.result(), Path(folder, "graph.svg"))
    ...     [file.name for file in Path(folder).iterdir()]
    True
    ['graph.svg']
    """
    if not has_graph(result):
        return False
    drawing = draw(diagram_of(result, run))
    if file.suffix == ".svg":
        replace(file, lambda draft: draft.write_text(svg(drawing), encoding="utf-8"))
    else:
        replace(file, lambda draft: write_png(drawing, draft))
    return True


def has_graph(result: Result) -> bool:
    """Whether what trained can be drawn.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     model=ModelConfig("expression", expressions=["xy = a*x"]),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> has_graph(session.result())
    True
    """
    model = result.model
    if isinstance(model, ExpressionModel):
        return len(model.graph.inputs) + len(model.graph.definitions) <= MOST_BOXES
    return isinstance(model, MLPModel) and model.layers < MOST_BOXES


def diagram_of(result: Result, run: int | None = None) -> Diagram:
    """The equations with the parameters of a run, or of the best one, or the layers of an MLP.

    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.session import Session
    >>> session = Session.prepare(Config(
    ...     name="line",
    ...     model=ModelConfig("expression", expressions=["xy = a*x"], initial={"a": 2}),
    ...     data=DataConfig("table", table={"x": [1, 2], "xy": [2, 4]}),
    ...     optimizer=OptimizerConfig("adam"), loop=LoopConfig(batch_size="full", steps=2),
    ... ))
    >>> diagram = diagram_of(session.result())
    >>> diagram.title, [line.text for line in diagram.vertices["xy"].lines]
    ('line: 1 equation, 1 input, 1 parameter, loss mse', ['xy = a*x', 'a = 2'])
    """
    config, model = result.pack.config, result.model
    if isinstance(model, ExpressionModel):
        shown = (result.best_run or 0) if run is None else run
        diagram = graph_diagram(model.graph, parameters=_parameters(result, result.rows[shown]))
        if result.pack.runs > 1:
            whose = f"Parameters of run {shown} of {result.pack.runs:,}{', the best' * (run is None)}."
            diagram = with_parts(diagram, captions=(*diagram.captions, whose))
    else:
        assert isinstance(model, MLPModel)
        rates = [] if model.dropout is None else model.dropout.rates.unique().tolist()
        ends = dict.fromkeys([*rates[:1], *rates[-1:]])
        dropout = " to ".join(f"{rate:g}" for rate in ends)
        diagram = perceptron_diagram(
            model.widths, config.model.activation, model.loss_kind.name, model.bias, dropout, model.quantized
        )
    title = f"{diagram.title}, loss {model.loss_kind.name}"
    return with_parts(
        diagram, title=shortened(f"{config.name}: {title}" if config.name else title, MOST_TITLE)
    )


def _parameters(result: Result, row: Row) -> dict[str, str]:
    """What is known of each parameter."""
    return {name: " ".join(_about(result, row, name)) for name in row["parameters"]}


def _about(result: Result, row: Row, name: str) -> Iterator[str]:
    """The value of a parameter, its standard error, and what keeps it where it is."""
    model, about = result.pack.config.model, row["parameters"][name]
    yield number(about["value"], 4)
    if about.get("stderr"):
        yield f"± {about['stderr']:.2g}"
    if name in model.shared:
        yield "(shared)"
    if name in row.get("fit", {}).get("at_bound", ()):
        yield "(at a bound)"
    if name in model.bounds:
        low, high = model.bounds[name]
        yield f"in [{_end(low)}, {_end(high)}]"


def _end(bound: float | None) -> str:
    return "..." if bound is None else f"{bound:g}"


def write_png(drawing: Drawing, file: Path) -> None:
    """Writes a drawing as PNG, at most MOST_PIXELS wide and high.

    Raises ModuleNotFoundError without matplotlib.

    >>> from tempfile import TemporaryDirectory
    >>> from packtrain.kernels.language import parse
    >>> with TemporaryDirectory() as folder:
    ...     write_png(draw(graph_diagram(parse("xy = a*x"))), Path(folder, "graph.png"))
    ...     Path(folder, "graph.png").read_bytes()[1:4]
    b'PNG'
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (an optional dependency, and slow)

    figure = Figure(figsize=(drawing.width / PIXELS, drawing.height / PIXELS), facecolor=BACKGROUND)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.set_axis_off()
    _draw_wires(axes, drawing)
    for box in drawing.boxes:
        axes.add_patch(_rectangle(box))
    for text in drawing.texts:
        style = {"fontsize": SIZES[text.role], "color": INK[text.role], "family": FONT, "va": "baseline"}
        axes.text(text.x, text.y, text.text, ha=ALIGNED[text.anchor], parse_math=False, **style)
    sharp = min(SHARP, MOST_PIXELS / max(drawing.width, drawing.height))
    with catch_warnings():
        simplefilter("ignore")  # a letter of a name that the font lacks is an empty box
        figure.savefig(file, format="png", dpi=PIXELS * sharp, pil_kwargs={"compress_level": 2})


def _draw_wires(axes: Any, drawing: Drawing) -> None:
    from matplotlib.collections import PathCollection, PolyCollection  # noqa: PLC0415 (likewise)
    from matplotlib.path import Path as Curve  # noqa: PLC0415 (likewise)

    def curve(wire: Wire) -> Any:
        points: list[Point] = [wire.points[0]]
        for (x, y), (to_x, to_y) in pairwise(wire.points):
            points += [((x + to_x) / 2, y), ((x + to_x) / 2, to_y), (to_x, to_y)]
        return Curve(points, [Curve.MOVETO, *[Curve.CURVE4] * (len(points) - 1)])

    def arrow(wire: Wire) -> list[Point]:
        x, y = wire.points[-1]
        return [(x, y), (x - ARROW, y - ARROW / 2), (x - ARROW, y + ARROW / 2)]

    def colours(wires: Sequence[Wire]) -> list[str]:
        return [wire_colour(wire.colour) for wire in wires]

    wires, ends = drawing.wires, [wire for wire in drawing.wires if wire.arrow]
    style = {"facecolors": "none", "linewidths": 1.4}
    curves = PathCollection([*map(curve, wires)], edgecolors=colours(wires), **style)
    axes.add_collection(curves, autolim=False)
    heads = PolyCollection([*map(arrow, ends)], facecolors=colours(ends), linewidths=0)
    axes.add_collection(heads, autolim=False)


def _rectangle(box: Box) -> Any:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 (likewise)

    kind = box.vertex.kind
    return FancyBboxPatch(
        (box.x, box.y), box.width, box.height, boxstyle="round,pad=0,rounding_size=7",
        facecolor=FILL[kind], edgecolor=LINE[kind], linewidth=1.4,
    )  # fmt: skip
