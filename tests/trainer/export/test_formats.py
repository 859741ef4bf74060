"""Every format of an MLP gives what the layers give, written out once more in float64."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.export.graph import onnx_files, torch_files
from packtrain.trainer.export.numpy_source import numpy_files
from packtrain.trainer.export.perceptron import Perceptron
from packtrain.trainer.export.torch_source import state_dict_files
from tests.helpers import assert_close
from tests.trainer.export.perceptrons import ACTIVATIONS, OURS, expected, module, perceptron, samples, written

KINDS: dict[str, dict[str, Any]] = {
    **{name: {"activation": name} for name in ACTIVATIONS},
    "no bias": {"bias": False},
    "fp64": {"dtype": torch.float64, "activation": "gelu"},
    "quantized": {"quantized": (0, 2)},
    "quantized by sin": {"quantized": (1,), "activation": "sin"},
    "one layer": {"widths": (2, 3)},
    "no scales": {"scaled": ()},
    "inputs": {"scaled": ("inputs",)},
    "targets": {"scaled": ("targets",)},
}
FEW = "quantized by sin", "fp64"  # of formats that take a second each
Outputs = Callable[[Tensor], Tensor]


def of_state_dict(model: Perceptron, folder: Path) -> Outputs:
    return module(written(state_dict_files(model), folder, model) / "model.py").Model()


def of_numpy(model: Perceptron, folder: Path) -> Outputs:
    predict = module(written(numpy_files(model), folder, model) / "predict.py").predict
    return lambda inputs: torch.from_numpy(predict(inputs.numpy()))


def of_torch(model: Perceptron, folder: Path) -> Outputs:
    graph = torch.export.load(str(written(torch_files(model), folder, model) / "model.pt2")).module()
    return lambda inputs: graph(inputs.to(model.dtype))


def of_onnx(model: Perceptron, folder: Path) -> Outputs:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(written(onnx_files(model), folder, model) / "model.onnx")
    return lambda inputs: torch.from_numpy(session.run(["outputs"], {"inputs": inputs.float().numpy()})[0])


def check(make: Callable[[Perceptron, Path], Outputs], kind: str, folder: Path) -> None:
    """It gives what is expected, of one sample and of several."""
    model = perceptron(**KINDS[kind])
    outputs = make(model, folder)
    for size in (1, 7):
        x = samples(model, size)
        y = outputs(x)
        dtype = torch.float32 if make is of_onnx else model.dtype
        assert_close(y, expected(model, KINDS[kind].get("activation", "relu"), x, model.scales), dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [of_state_dict, of_numpy])
def test_python_gives_what_the_layers_give(
    make: Callable[[Perceptron, Path], Outputs], kind: str, tmp_path: Path
) -> None:
    check(make, kind, tmp_path)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize("make", [of_torch, of_onnx])
def test_a_graph_gives_what_the_layers_give(
    make: Callable[[Perceptron, Path], Outputs], kind: str, tmp_path: Path
) -> None:
    check(make, kind, tmp_path)


def test_a_plain_sequential_takes_the_state_dict(tmp_path: Path) -> None:
    model = perceptron("gelu", (3, 5, 2), scaled=())
    folder = written(state_dict_files(model), tmp_path, model)
    plain = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2))
    plain.load_state_dict(load_file(folder / "state_dict.safetensors"))
    x = samples(model)
    assert_close(plain(x.float()), expected(model, "gelu", x, {}), torch.float32)
    exported = module(folder / "model.py")
    assert repr(exported.network()) == repr(plain)
    assert tuple(exported.INPUTS) == model.inputs and tuple(exported.OUTPUTS) == model.outputs


def test_a_sequential_reads_as_a_person_would_write_it(tmp_path: Path) -> None:
    model = perceptron(OURS[0], (3, 5, 2), bias=False, quantized=(1,), dtype=torch.float64)
    text = state_dict_files(model)["model.py"].decode()
    assert (
        """    layers = nn.Sequential(
        nn.Linear(in_features=3, out_features=5, bias=False),
        Activation(),
        Quantize(),
        nn.Linear(in_features=5, out_features=2, bias=False),
    ).double()
    layers.load_state_dict("""
        in text
    )
    assert "    def forward(self, z):\n        a = z*torch.sigmoid(1.702*z)\n        return a\n" in text


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus", OURS[1]])
def test_the_function_of_numpy_needs_numpy_alone(activation: str) -> None:
    tree = ast.parse(numpy_files(perceptron(activation))["predict.py"])
    imports = [ast.unparse(line) for line in tree.body if isinstance(line, (ast.Import, ast.ImportFrom))]
    assert {*imports} <= {"import math", "from pathlib import Path", "import numpy as np"}


def test_classes_have_probabilities_and_names(tmp_path: Path) -> None:
    model = perceptron(widths=(3, 4, 3), bias=False, loss="cross_entropy", scaled=("inputs",))
    exported = module(written(numpy_files(model), tmp_path, model) / "predict.py")
    x = samples(model, 60)
    logits = expected(model, "relu", x, model.scales)
    probabilities = torch.from_numpy(exported.probabilities(x.numpy()))
    assert_close(probabilities, logits.softmax(-1), torch.float32)
    names = [model.outputs[place] for place in logits.argmax(-1)]
    assert len(set(names)) > 1 and exported.classes(x.numpy()).tolist() == names
    assert exported.predict(x[0].numpy()) == pytest.approx(exported.predict(x.numpy())[0], rel=1e-5)
    assert "CLASSES = " in state_dict_files(model)["model.py"].decode()


def test_a_probability_is_the_sigmoid_of_its_output(tmp_path: Path) -> None:
    model = perceptron(loss="binary_cross_entropy", scaled=())
    exported = module(written(numpy_files(model), tmp_path, model) / "predict.py")
    x = samples(model)
    logits = expected(model, "relu", x, {})
    assert_close(torch.from_numpy(exported.probabilities(x.numpy())), logits.sigmoid(), torch.float32)


def test_what_torch_has_no_name_for_goes_elsewhere(tmp_path: Path) -> None:
    model = perceptron("j0(z)*z", scaled=())
    with pytest.raises(UserError, match=r"model\.activation; take format=numpy, torch or onnx"):
        state_dict_files(model)
    x = samples(model)
    assert_close(of_torch(model, tmp_path)(x), of_numpy(model, tmp_path)(x), torch.float32)


def test_a_large_z_overflows_in_silence(tmp_path: Path) -> None:
    model = perceptron("elu", scaled=())
    assert np.isfinite(of_numpy(model, tmp_path)(1e3 * samples(model)).numpy()).all()
