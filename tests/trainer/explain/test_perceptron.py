"""An MLP explained, against torch's own layers and autograd."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import packtrain
from packtrain import UserError
from packtrain.kernels.equations.activations import ACTIVATIONS, activation_of
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.explain.arrays import Array
from packtrain.trainer.explain.case import Case, case_of_config
from packtrain.trainer.explain.perceptron import perceptron
from packtrain.trainer.explain.units import units
from packtrain.trainer.models.mlp import MLPModel
from tests.kernels.activation.activations import by_autograd

SMALL = "experiment=gaussians", "model.widths=[2,3,4,2]", "data.size=100", "loop.batch_size=10"


@pytest.fixture(scope="module")
def case() -> Case:
    """Two hidden layers, small enough that all numbers are shown."""
    return case_of_config(SMALL)


def whole(array: Array | None) -> Tensor:
    """The numbers of a small array."""
    assert array is not None
    values = torch.tensor(array.values, dtype=torch.float64)
    assert tuple(values.shape) == array.shape
    return values


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_three_steps_are_those_of_autograd(name: str, case: Case) -> None:
    model = case.model.of(torch.tensor([0]))
    assert isinstance(model, MLPModel)
    model.activation = activation_of(name)
    about = perceptron(replace(case, model=model), 5)
    parts = {key: part[0].detach().requires_grad_() for key, part in model.named().items()}
    h, a, x = [], [], case.data.inputs[5]
    for layer in range(3):
        h.append(torch.mv(parts[f"weight_{layer}"], x) + parts[f"bias_{layer}"])
        h[-1].retain_grad()
        x = by_autograd(h[-1], name)
        a.append(x)
        x.retain_grad()
    loss = torch.nn.functional.cross_entropy(h[2], case.data.targets[5, 0])
    loss.backward()
    assert about.loss == pytest.approx(loss.item(), rel=1e-12)
    assert [own.number for own in about.backward] == [2, 1, 0]
    for own in about.backward:
        n = own.number
        torch.testing.assert_close(whole(about.forward[n].h), h[n].detach())
        torch.testing.assert_close(whole(own.error), h[n].grad)
        torch.testing.assert_close(whole(own.weight), parts[f"weight_{n}"].grad)
        torch.testing.assert_close(whole(own.bias), parts[f"bias_{n}"].grad)
        assert own.apart < 1e-12
        if n:
            torch.testing.assert_close(whole(own.to_before), a[n - 1].grad)
            torch.testing.assert_close(whole(own.error_before), h[n - 1].grad)
            torch.testing.assert_close(whole(own.to_before) * whole(own.slope_before), h[n - 1].grad)
    assert str(about.activation) == str(activation_of(name))


@pytest.mark.parametrize("error", ["add", "drop"])
def test_quantized_layers_get_what_training_gives_them(error: str) -> None:
    words = "model.quantize=[0,2]", f"model.quantize_error={error}", "model.bias=false"
    about = perceptron(case_of_config([*SMALL, *words]), 3)
    assert [layer.quantized for layer in about.forward] == [True, False, True]
    assert all(layer.bias is None for layer in about.forward)
    assert max(layer.apart for layer in about.backward) < 1e-12


def test_weights_of_samples_and_a_loss_of_numbers() -> None:
    data = {"p": [1.0, 2.0, 3.0], "q": [0.5, 0.1, 0.9], "y": [1.0, 2.0, 0.0], "w": [1.0, 0.25, 2.0]}
    words = "~experiment", "model=mlp", "model.widths=[2,3,1]", "model.loss=huber", "loop.batch_size=full"
    columns: dict[str, Any] = {"data.columns": {"weights": "w", "targets": ["y"]}}
    about = packtrain.explain(*words, data=data, sample=1, **columns)
    assert about.mlp is not None and about.weight == 0.25 and about.targets == {"y": 2.0}
    error = about.mlp.outputs[0] - 2.0
    expected = 0.5 * error**2 if abs(error) <= 1 else abs(error) - 0.5
    assert about.mlp.loss == pytest.approx(0.25 * expected)
    assert max(layer.apart for layer in about.mlp.backward) < 1e-12
    with pytest.raises(UserError, match="this is an MLP"):
        about.mermaid()


def test_dead_and_saturated_units_are_found() -> None:
    """Of three units the first is steep at each sample, the second nowhere, the third at one of 100."""
    inputs = torch.linspace(0, 1, 100, dtype=torch.float64)[:, None]
    data = Dataset(inputs, inputs, ("x",), ("y",))
    parameters = torch.tensor([[1.0, 1.0, 1.0, 1.0, -2.0, -0.995, 1.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    (layer,) = units(MLPModel(parameters, [1, 3, 1], bias=True, loss="mse"), data)
    assert (layer.dead, layer.saturated, layer.units) == ((1,), (2,), 3)
    assert layer.off == pytest.approx((100 + 99) / 300) and layer.slope == pytest.approx(101 / 300)


def test_a_saturated_sigmoid_is_not_dead() -> None:
    data = Dataset(torch.ones(20, 1).double(), torch.ones(20, 1).double(), ("x",), ("y",))
    parameters = torch.tensor([[9.0, 0.5, 1.0, 1.0]], dtype=torch.float64)
    model = MLPModel(parameters, [1, 2, 1], bias=False, loss="mse", activation="sigmoid")
    (layer,) = units(model, data)
    assert (layer.dead, layer.saturated, layer.off) == ((), (0,), 0.0)


def test_wide_layers_are_summarized() -> None:
    about = packtrain.explain("experiment=digits", sample=3)
    assert about.mlp is not None
    first = about.mlp.forward[0].weight
    assert first.shape == (128, 64) and len(first.values) == 6
    assert "(128 x 64, norm" in str(about) and len(str(about)) < 20_000
    assert max(map(len, str(about).splitlines())) < 400
