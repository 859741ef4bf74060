"""`packtrain export`."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file

import packtrain
from packtrain.trainer.terminal.arguments import EXPORT_USAGE
from tests.helpers import Command, assert_close, result_in
from tests.kernels.language.test_numpy_source import imported
from tests.trainer.export.perceptrons import module
from tests.trainer.sweep.test_sweep import BRIEF, HERE, QUICK


def test_the_best_run_of_a_sweep_is_exported(cli: Command, tmp_path: Path) -> None:
    """Its inputs are standardized: the function and the text take them as they are."""
    swept = ("-m", *BRIEF, "data.standardize=false,true", "seed=1,2", HERE)
    assert cli(*swept).code == 0
    ended = cli("export", "sweep", "run=3")
    assert ended.code == 0, ended.err
    to = tmp_path / "sweep" / "export" / "run-0003"
    names = {"model.safetensors", "config.yaml", "equations.txt", "equations.tex", "equations.py"}
    assert {file.name for file in to.iterdir()} == names
    trained = packtrain.load(tmp_path / "sweep" / "1")
    with safe_open(to / "model.safetensors", "pt") as file:
        for name, value in trained.parameters(run=1).items():
            assert torch.equal(file.get_tensor(name), value)
        assert trained.mean is not None and torch.equal(file.get_tensor("inputs.mean"), trained.mean)
    inputs = torch.linspace(0, 1, 7, dtype=torch.float64)[:, None]
    found = imported((to / "equations.py").read_text(), tmp_path).predict(inputs[:, 0].numpy())
    assert_close(torch.from_numpy(found), trained.predict(inputs, run=1)[:, 0].double(), torch.float32)
    assert yaml.safe_load((to / "config.yaml").read_text())["seed"] == 2
    assert (to / "equations.txt").read_text() in ended.out
    assert (to / "equations.tex").read_text().startswith("\\begin{align*}\nx_{x} &= \\left(\\frac{x_{a} - ")


def test_the_text_of_a_fit_has_its_standard_errors(cli: Command, tmp_path: Path) -> None:
    assert cli("experiment=fit", *QUICK).code == 0
    ended = cli("export", "out", "to=mine")
    text = (tmp_path / "mine" / "equations.txt").read_text()
    assert ended.out.startswith(text) and "mine: model.safetensors, config.yaml, equations.txt" in ended.out
    lines = text.splitlines()
    assert lines[:4] == ["xy = b1*x^b2", "", "b1 = 0.76886 ± 0.018", "b2 = 3.8604 ± 0.052"]
    assert lines[5].startswith("xy = 0.76886226") and "*x^3.86040558" in lines[5]
    predict = imported((tmp_path / "mine" / "equations.py").read_text(), tmp_path).predict
    assert predict(2.0) == pytest.approx(0.7688622618 * 2**3.8604055871, rel=1e-8)
    assert np.array_equal(predict(np.array([1.0, 2.0]), b1=1, b2=2), [1, 4])


MLP = ("experiment=gaussians", "data.size=64", "loop.batch_size=16", "loop.steps=3", *QUICK)


def test_an_mlp_is_exported_without_equations(cli: Command, tmp_path: Path) -> None:
    assert cli(*MLP).code == 0
    ended = cli("export", "out", "run=best")
    to = tmp_path / "out" / "export" / "run-0000"
    files = "model.safetensors, config.yaml, state_dict.safetensors, model.py, predict.py, predict.npz"
    assert ended.code == 0 and ended.out.endswith(f"{files}\n")
    assert {file.name for file in to.iterdir()} == {*files.split(", ")}
    assert ended.out.startswith("nn.Sequential(\n    nn.Linear(in_features=2, out_features=10, bias=True),\n")
    assert "Outputs are logits, one a class: their softmax" in ended.out
    with safe_open(to / "model.safetensors", "pt") as file:
        assert file.get_tensor("weight_0").shape == (10, 2)


def test_a_run_of_a_pack_gives_elsewhere_what_it_gives_here(cli: Command, tmp_path: Path) -> None:
    """A quantized layer, an activation of one's own, standardized inputs and targets, which are numbers."""
    table = "data.table={xa: [1990, 2000, 2010, 2020], xb: [0.1, 0.3, 0.2, 0], xy: [3, 1, 4, 1]}"
    asked = (
        "~experiment", "model=mlp", "model.loss=mse", "model.widths=[2,6,4,1]", "model.quantize=[1]",
        "model.activation='z*sigmoid(1.702*z) + 2'",
        "data=table", table, "data.columns={targets: xy}", "data.standardize=all",
        "pack.over={seed: '1,2,3'}", "loop.batch_size=full", "loop.steps=9", "monitor=quiet",
    )  # fmt: skip
    assert cli(*asked).code == 0
    assert cli("export", "out", "run=2", "format=state_dict,numpy,torch", "to=mine").code == 0
    inputs = torch.tensor([[1995.5, 0.25], [2003, 0.125], [2019, 0.0]], dtype=torch.float64)
    expected = packtrain.load(tmp_path / "out").predict(inputs, run=2)
    mine = tmp_path / "mine"
    assert_close(module(mine / "model.py").Model()(inputs), expected, torch.float32)
    assert_close(torch.from_numpy(module(mine / "predict.py").predict(inputs)), expected, torch.float32)
    graph = torch.export.load(str(mine / "model.pt2")).module()
    assert_close(graph(inputs.float()), expected, torch.float32)
    with ZipFile(mine / "model.pt2") as archive:
        weights = [file.file_size for file in archive.infolist() if "/weights/weight_" in file.filename]
    tensors = load_file(mine / "model.safetensors")
    assert sum(weights) == 4 * sum(tensor.numel() for tensor in tensors.values())  # of this run alone


def test_what_trained_in_bf16_says_in_what_it_computes_elsewhere(cli: Command, tmp_path: Path) -> None:
    assert cli(*MLP, "compute.precision=bf16").code == 0
    ended = cli("export", "out", "format=numpy", "to=mine")
    told = "It was trained with products in bf16; here they are in float32."
    assert told in ended.out and told in (tmp_path / "mine" / "predict.py").read_text()
    assert not (tmp_path / "mine" / "model.py").exists()
    inputs = torch.randn(9, 2)
    found = torch.from_numpy(module(tmp_path / "mine" / "predict.py").predict(inputs))
    assert_close(found, packtrain.load(tmp_path / "out").predict(inputs, run=0), torch.bfloat16)


def test_what_cant_be_exported_is_one_sentence(cli: Command, tmp_path: Path) -> None:
    assert cli(*BRIEF, "optimizer=sgd", "optimizer.lr=1e30", "loop.steps=50").code == 1
    assert result_in(tmp_path / "out")["best_run"] is None
    for arguments, told in (
        (("out",), "run=best: out has the runs 0 to 2"),
        (("out", "run=7"), "run=7: out has the runs 0 to 2"),
        (("out", "seed=3"), f"expected {EXPORT_USAGE}; got seed=3"),
        (("nowhere",), "nowhere is no folder"),
        (("out", "run=1", "format=numpy"), "format=... is of MLPs; equations are always written as text"),
    ):
        ended = cli("export", *arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1 and told in ended.err, arguments


def test_a_format_that_is_not_there_is_one_sentence(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli(*MLP).code == 0
    monkeypatch.setattr("packtrain.trainer.export.graph.find_spec", lambda name: None)
    known = "format is one of state_dict, numpy, torch, onnx; got"
    for format, told in (
        ("numpi", f"{known} 'numpi' (did you mean numpy?)"),
        ("numpy,", f"{known} ''"),
        ("onnx", "format=onnx needs onnx: pip install 'packtrain[onnx]'"),
    ):
        ended = cli("export", "out", f"format={format}", "to=mine")
        assert ended.code == 2 and told in ended.err and not Path("mine").exists()


def test_a_parameter_that_begins_with_x_goes_everywhere(cli: Command, tmp_path: Path) -> None:
    """Fitted, held, resumed, loaded, shown and exported like any other."""
    asked = (
        "~experiment", "model.expressions=['xy = a*(x - x0)^2']", "model.parameters=[x0]", "data=table",
        "data.table={x: [0, 1, 2, 3, 4], xy: [18, 8, 2, 0, 2]}", "model.initial={a: 1, x0: 2}",
        "model.bounds={x0: [0, 9]}", "optimizer=levenberg_marquardt", "compute.precision=fp64",
        "compute.backend=reference", "monitor=quiet", "hydra.run.dir=out",
    )  # fmt: skip
    assert cli(*asked, "loop.steps=2").code == 0
    assert "it has not converged; raise loop.steps" in result_in(tmp_path / "out")["run"][0]["message"]
    assert cli("resume=out", "loop.steps=100").code == 0
    trained = packtrain.load(tmp_path / "out")
    values = {name: round(float(each), 9) for name, each in trained.parameters(0).items()}
    assert trained.inputs == ("x",) and values == {"a": 2, "x0": 3}
    assert abs(float(trained.predict({"x": [5.0]}, 0)) - 8) < 1e-8
    assert "x0" in cli("show", "out", "run=0").out
    assert cli("export", "out").code == 0
    made = tmp_path / "out" / "export" / "run-0000"
    assert "x0 = 3" in (made / "equations.txt").read_text()
    assert "x0=" in (made / "equations.py").read_text().partition("def predict(x, ")[2]
    assert r"\left(x - 3\right)^{2}" in (made / "equations.tex").read_text()
