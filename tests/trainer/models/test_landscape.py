"""The losses at many sets of parameters, by compiled code, against the definition in float64."""

import math

import pytest
import torch

from packtrain.kernels.expression import expression_loss
from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models.base import Model
from packtrain.trainer.models.evaluate import evaluate
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.models.landscape import losses_at, thinned
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights
from tests.helpers import assert_close

EQUATIONS = ("xz = a*xa^2 + b*xb", "xy = tanh(xz) + c*xa")


def samples(count: int, targets: int = 1, weights: bool = False) -> Dataset:
    generator = torch.Generator().manual_seed(count)
    x, t = (torch.randn(count, width, generator=generator).double() for width in (2, targets))
    own = torch.rand(count, generator=generator).double().round(decimals=1) if weights else None
    return Dataset(x, t, ("xa", "xb"), tuple(f"t{k}" for k in range(targets)), weights=own)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("loss", ["mse", "sse", "huber", "poisson", "abs(y - t)^1.5"])
def test_equations_have_the_reference_losses(loss: str, weights: bool) -> None:
    graph, data = parse([*EQUATIONS]), samples(1500, weights=weights)
    points = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)).double()
    model = ExpressionModel(graph, torch.ones(1, 3), loss, None)
    counted = data.counted
    given = graph, points, counted.inputs, counted.targets, loss
    assert_close(losses_at(model, data, points), expression_loss(*given, weights=counted.weights))


def test_the_constants_are_those_of_the_run() -> None:
    data, (a, b, c) = samples(100), (0.5, 2.0, 1.0)
    model = ExpressionModel(parse([*EQUATIONS]), torch.ones(2, 3), "huber", None)
    model.loss_constants = torch.tensor([[1.0], [0.125]])
    losses = [losses_at(model, data, torch.tensor([[a, b, c]]).double(), run=run).item() for run in range(2)]
    xa, xb = data.inputs[:, :1], data.inputs[:, 1:]
    error = (torch.tanh(a * xa**2 + b * xb) + c * xa - data.targets).abs()
    huber = [torch.where(error < d, error**2 / 2, d * (error - d / 2)).mean().item() for d in (1.0, 0.125)]
    assert losses == pytest.approx(huber, rel=1e-9)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(("loss", "targets"), [("mse", 2), ("sse", 1), ("cross_entropy", 1)])
def test_mlps_have_the_losses_of_evaluate(loss: str, targets: int, activation: str) -> None:
    data = samples(2500, targets, weights=loss == "sse")
    outputs = 3 if loss == "cross_entropy" else targets
    if loss == "cross_entropy":
        classes = (data.targets > 0).long() + (data.targets > 1).long()
        data = Dataset(data.inputs, classes, data.input_names, ("a", "b", "c"))
    points = initial_weights([2, 7, outputs], True, torch.arange(5), torch.float64)
    model: Model = MLPModel(points.clone(), [2, 7, outputs], True, loss, activation=activation)
    expected = evaluate(model, data, metrics=False).loss
    assert_close(losses_at(model.of(torch.tensor([0])), data, points), expected, torch.float32)


def test_quantized_layers_go_the_slow_way() -> None:
    data = samples(50)
    points = initial_weights([2, 4, 1], True, torch.arange(3), torch.float32)
    model = MLPModel(points.clone(), [2, 4, 1], True, "mse", quantized=[0])
    expected = evaluate(model, data.to(torch.device("cpu"), torch.float32), metrics=False).loss
    some = data.to(torch.device("cpu"), torch.float32)
    assert losses_at(model.of(torch.tensor([0])), some, points).tolist() == expected.tolist()


def test_where_the_loss_is_not_finite_it_says_so() -> None:
    model = ExpressionModel(parse(["xy = log(a) + b*xa + 0*xb"]), torch.ones(1, 2), "mse", None)
    losses = losses_at(model, samples(10), torch.tensor([[-1.0, 1.0], [1.0, 1.0]]))
    assert math.isnan(losses[0]) and math.isfinite(losses[1])


def test_many_points_at_once_or_one_by_one_have_the_same_bits() -> None:
    model = ExpressionModel(parse([*EQUATIONS]), torch.ones(1, 3), "mse", None)
    points = torch.randn(30, 3, generator=torch.Generator().manual_seed(3)).double()
    alone = torch.cat([losses_at(model, samples(3000), point[None]) for point in points])
    assert torch.equal(losses_at(model, samples(3000), points), alone)


def test_thinned_samples_are_evenly_spread_and_count() -> None:
    data = samples(100, weights=True)
    some = thinned(data, 10)
    assert len(some) == 10 and some.weights is not None and bool((some.weights > 0).all())
    assert thinned(data, 1000).inputs.tolist() == data.counted.inputs.tolist()
