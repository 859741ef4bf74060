"""A run's folder says why it diverged, from what is in it."""

import json
from pathlib import Path

import pytest

from packtrain.trainer.explain.case import case_of_folder
from packtrain.trainer.explain.divergence import NotFinite
from packtrain.trainer.explain.explained import Explained, explained
from tests.helpers import Command

DEBUG = "experiment=debug", "optimizer=sgd", "pack.over={seed: null}", "monitor=quiet", "loop.steps=30"


def about(folder: Path, run: str = "0") -> tuple[Explained, NotFinite]:
    made = explained(case_of_folder(folder, run))
    fault = made.more["divergence"]
    assert isinstance(fault, NotFinite)
    return made, fault


@pytest.mark.sampled(1)
@pytest.mark.parametrize("order", ["shared", "own"])
def test_the_row_and_its_vertices_are_computed_again(order: str, cli: Command, tmp_path: Path) -> None:
    rates = 'pack.over={optimizer.lr: "1e-7,1e30"}'
    assert cli(*DEBUG, rates, f"loop.order={order}", "data.validation=0.3").code == 0
    made, fault = about(tmp_path / "out", "1")
    assert fault.message == f"step {fault.step}, row {fault.row}: {fault.text}; kept are the values before it"
    values = {vertex.name: vertex.value for vertex in fault.vertices}
    assert (fault.step, fault.place) == (1, "xw") and list(values) == ["xa", "xx", "xy", "xz", "xw"]
    assert fault.text == f"xz^3 = {values['xz']:.4g}^3 is infinite in float32, which xw needs"
    assert str(made).index("What is not finite at row") < str(made).index("Forward")
    assert json.loads(json.dumps(made.data, allow_nan=False))["more"]["divergence"]["row"] == fault.row
    assert "divergence" not in explained(case_of_folder(tmp_path / "out", "0")).more


def test_what_needs_the_optimizers_state_is_said_by_its_sentence(cli: Command, tmp_path: Path) -> None:
    assert cli(*DEBUG, 'pack.over={optimizer.lr: "1e-7,1e38"}', "optimizer.momentum=0.9").code == 0
    made, fault = about(tmp_path / "out", "1")
    assert fault.message.startswith("step 0: the update makes") and fault.text is None
    assert fault.message in str(made)


def test_a_layers_unit_is_computed_again(cli: Command, tmp_path: Path) -> None:
    mlp = "experiment=gaussians", "data.size=90", "loop.batch_size=30", "loop.steps=9", "model.dropout=0.2"
    rates = 'pack.over={optimizer.lr: "1e-7,1e30"}'
    assert cli(*mlp, "optimizer=sgd", rates, "monitor=quiet").code == 0
    _, fault = about(tmp_path / "out", "1")
    assert fault.place == "unit 0 of layer 1" and fault.text and fault.text in fault.message


def test_a_fit_that_cant_begin_names_its_row(cli: Command, tmp_path: Path) -> None:
    table = "data.table={x: [1, 2, 3, 4], xy: [1, 2, 3, 4], g: [0, 0, 1, 1]}"
    fit = "~experiment", 'model.expressions=["xy = a*log(x - 2.5)"]', "data=table", table, "data.group=g"
    assert cli(*fit, "optimizer=levenberg_marquardt", "loop.steps=9", "monitor=quiet").code in (0, 1)
    _, fault = about(tmp_path / "out", "0")
    assert (fault.row, fault.place, fault.step) == (1, "xy", None)
    assert fault.text == "log(x - 2.5) = log(-1.5) is not a number, which xy needs"
