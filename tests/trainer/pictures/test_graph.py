"""The picture of what trained, as PNG and SVG."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread

from packtrain.kernels.diagrams import Diagram
from packtrain.trainer.config.schema import Config, DataConfig, LoopConfig, ModelConfig, OptimizerConfig
from packtrain.trainer.folder.result import Result
from packtrain.trainer.pictures import graph as picture
from packtrain.trainer.pictures.graph import diagram_of, draw_graph, has_graph
from packtrain.trainer.session import Session
from tests.trainer.sessions import drive

TABLE = {"x": [1, 2, 3], "y": [2, 4, 7]}


def trained(model: ModelConfig, table: dict[str, list[int]] = TABLE, **over: str) -> Result:
    """What a few steps come to, of a fit or of an MLP."""
    kind = "adam" if model.kind == "mlp" else "levenberg_marquardt"
    config = Config(
        name="line",
        model=model,
        data=DataConfig("table", table=table, columns={"y": "y", "x": "x"} if model.kind != "mlp" else {}),
        optimizer=OptimizerConfig(kind),
        loop=LoopConfig(batch_size="full", steps=9),
    )
    config.compute.backend = "reference"
    config.pack.over = over
    session = Session.prepare(config)
    drive(session)
    return session.result()


def lines(diagram: Diagram, vertex: str) -> list[str]:
    return [line.text for line in diagram.vertices[vertex].lines]


def line(**settings: Any) -> ModelConfig:
    settings = {"initial": {"a": 1.0, "b": 0.5}, **settings}
    return ModelConfig("expression", expressions=["y = a*x + b"], variables=["x", "y"], **settings)


def test_a_fit_shows_its_parameters_with_their_errors() -> None:
    diagram = diagram_of(trained(line()))
    assert diagram.title == "line: 1 equation, 1 input, 2 parameters, loss mse"
    assert lines(diagram, "y") == ["y = a*x + b", "a = 2.5 ± 0.29, b = -0.6667 ± 0.62"]
    assert [edge.label for edge in diagram.edges] == ["a"]


def test_what_keeps_a_parameter_is_told() -> None:
    held = trained(line(fixed=["b"], bounds={"a": [None, 2]}))
    assert lines(diagram_of(held), "y")[1:] == ["a = 2 (at a bound) in [..., 2]", "b = 0.5 (fixed)"]


def test_of_a_pack_the_best_run_or_the_named_one_is_shown() -> None:
    pack = trained(line(), seed="1,2,3")
    assert diagram_of(pack).captions[-1] == f"Parameters of run {pack.best_run} of 3, the best."
    assert diagram_of(pack, run=1).captions[-1] == "Parameters of run 1 of 3."


def test_a_perceptron_has_a_box_a_layer() -> None:
    model = ModelConfig("mlp", widths=[1, 8, 1], activation="tanh", dropout=0.25)
    diagram = diagram_of(trained(model, {"x": [1, 2, 3], "target": [2, 4, 7]}))
    assert diagram.title == "line: MLP 1-8-1, 25 parameters, loss mse"
    assert lines(diagram, "layer 1") == ["layer 1", "8 wide", "tanh", "16 parameters"]
    assert [edge.label for edge in diagram.edges] == ["", "dropout 0.25", ""]


def test_it_is_drawn_as_png_and_svg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = trained(line())
    assert draw_graph(result, tmp_path / "graph.png") and draw_graph(result, tmp_path / "graph.svg")
    picture_of = imread(tmp_path / "graph.png")
    root = ElementTree.parse(tmp_path / "graph.svg").getroot()
    shape = [float(root.attrib[side]) for side in ("height", "width")]
    assert [side / 2 for side in picture_of.shape[:2]] == pytest.approx(shape, abs=1)
    assert picture_of[..., 3].min() == 1  # opaque
    monkeypatch.setattr(picture, "MOST_BOXES", 1)
    assert not has_graph(result) and not draw_graph(result, tmp_path / "large.png")
