"""The perceptrons against torch.nn, run by run."""

import pytest
import torch
from torch import Tensor

from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights, layout
from tests.helpers import assert_close

WIDTHS = [3, 6, 5, 2]
SEEDS = torch.tensor([0, 1, 2])


def start(bias: bool = True, seeds: Tensor = SEEDS, dtype: torch.dtype = torch.float64) -> Tensor:
    return initial_weights(WIDTHS, bias, seeds, dtype)


def sequential(model: MLPModel, run: int, bias: bool) -> torch.nn.Sequential:
    """torch's perceptron with the parameters of one run."""
    layers: list[torch.nn.Module] = []
    for layer in range(model.layers):
        linear = torch.nn.Linear(WIDTHS[layer], WIDTHS[layer + 1], bias, dtype=torch.float64)
        with torch.no_grad():
            for name, parameter in linear.named_parameters():
                parameter.copy_(model.named()[f"{name}_{layer}"][run])
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("per_run", [False, True], ids=["shared", "own"])
def test_every_run_agrees_with_torch(bias: bool, per_run: bool) -> None:
    model = MLPModel(start(bias), WIDTHS, bias, "cross_entropy")
    shape = (3, 20, 3) if per_run else (20, 3)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    classes = torch.arange(20)[:, None] % 2
    (gradient,) = torch.autograd.grad(model.loss(inputs, classes).sum(), model.parameters)
    for run in range(3):
        peer, given = sequential(model, run, bias), inputs[run] if per_run else inputs
        assert_close(model.predict(inputs)[run].detach(), peer(given).detach())
        torch.nn.functional.cross_entropy(peer(given), classes[:, 0]).backward()
        slopes = [p.grad.flatten() for p in peer.parameters() if p.grad is not None]
        assert_close(gradient[run], torch.cat(slopes))


def test_the_layout_is_that_of_the_widths() -> None:
    assert layout([3, 4, 2], True) == {
        "weight_0": (4, 3),
        "bias_0": (4,),
        "weight_1": (2, 4),
        "bias_1": (2,),
    }
    assert list(layout([3, 4, 2], False)) == ["weight_0", "weight_1"]


def test_both_precisions_start_alike() -> None:
    assert_close(start(dtype=torch.float32), start(), torch.float32)
    assert not torch.equal(start()[0], start()[1])


def test_a_quantized_layer_sees_whole_numbers() -> None:
    inputs = torch.tensor([[0.9, 7.2, 300.0]], dtype=torch.float64)
    model = MLPModel(start(), WIDTHS, True, "mse", quantized=[0])
    plain = MLPModel(start(), WIDTHS, True, "mse")
    assert torch.equal(model.predict(inputs), plain.predict(inputs.new_tensor([[0, 7, 255]])))
    hidden = MLPModel(start(), WIDTHS, True, "mse", quantized=[2])
    assert not torch.equal(hidden.predict(inputs), plain.predict(inputs))


@pytest.mark.parametrize("error", ["add", "drop"])
def test_the_error_of_a_quantized_layer_is_added_to_the_gradient_or_dropped(error: str) -> None:
    inputs = 40 * torch.rand(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = inputs[:, :2] / 7
    model = MLPModel(20 * start().abs(), WIDTHS, True, "mse", quantized=[1], quantize_error=error)
    (gradient,) = torch.autograd.grad(model.loss(inputs, targets).sum(), model.parameters)
    parts = {name: part.detach().clone().requires_grad_() for name, part in model.named().items()}
    w, b = ([parts[f"{kind}_{layer}"] for layer in range(3)] for kind in ("weight", "bias"))
    x = (inputs @ w[0].mT + b[0][:, None]).relu()
    rest = (x - x.clamp(0, 255).trunc()).detach()
    x = x - rest  # the cast, whose slope is 1
    h = (x @ w[1].mT + b[1][:, None]).relu()
    loss = (h @ w[2].mT + b[2][:, None] - targets).square().mean((1, 2)).sum()
    if error == "add":
        loss = loss + (x * rest).sum()
    slopes = torch.autograd.grad(loss, list(parts.values()))
    assert rest.any() and (x.detach() == 255).any()
    assert_close(gradient, torch.cat([slope.flatten(1) for slope in slopes], 1))


def test_products_of_few_bits_keep_the_dtype_of_the_parameters() -> None:
    inputs = torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    single = start(dtype=torch.float32)
    rounded = MLPModel(single, WIDTHS, True, "mse", product="bf16").predict(inputs)
    exact = MLPModel(single.clone(), WIDTHS, True, "mse").predict(inputs)
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, exact)
    assert_close(rounded.detach(), exact.detach(), torch.bfloat16)
