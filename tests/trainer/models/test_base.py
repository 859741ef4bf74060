"""What every model promises, held against each of them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from packtrain.kernels.language import parse
from packtrain.trainer.models.base import Model
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.models.mlp import MLPModel, layout
from tests.helpers import assert_close
from tests.losses import LOSSES, torch_loss

RUNS, SAMPLES, FEATURES, OUTPUTS = 3, 7, 2, 4
GRAPH = parse([f"x{'abcd'[i]}o = a*sin({i + 1}*x) + b*xb + c*x^{i}" for i in range(OUTPUTS)])
WIDTHS = [FEATURES, 5, OUTPUTS]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def equations(loss: str) -> Model:
    return ExpressionModel(GRAPH, draw(RUNS, 3), loss, None)


def mlp(loss: str, bias: bool = True) -> Model:
    size = sum(torch.Size(shape).numel() for shape in layout(WIDTHS, bias).values())
    return MLPModel(draw(RUNS, size), WIDTHS, bias, loss)


MODELS: dict[str, Callable[[str], Model]] = {
    "expression": equations,
    "mlp": mlp,
    "mlp without bias": lambda loss: mlp(loss, False),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_rank = pytest.mark.parametrize("per_run", [False, True], ids=["shared", "own"])


def data(loss: str, per_run: bool) -> tuple[Tensor, Tensor]:
    rows = (RUNS, SAMPLES) if per_run else (SAMPLES,)
    if loss == "cross_entropy":
        return draw(*rows, FEATURES), torch.arange(SAMPLES).expand(rows)[..., None] % OUTPUTS
    return draw(*rows, FEATURES), draw(*rows, OUTPUTS)


@pytest.mark.sampled(20)
@every_model
@every_loss
@every_rank
def test_the_gradient_is_that_of_the_loss(make: Callable[[str], Model], loss: str, per_run: bool) -> None:
    model = make(loss)
    inputs, targets = data(loss, per_run)

    def of_parameters(parameters: Tensor) -> Tensor:
        model.parameters = parameters
        return model.loss(inputs, targets)

    assert torch.autograd.gradcheck(of_parameters, model.parameters)


@every_model
@every_loss
@every_rank
def test_the_loss_is_that_of_the_predictions(make: Callable[[str], Model], loss: str, per_run: bool) -> None:
    model = make(loss)
    inputs, targets = data(loss, per_run)
    predicted = model.predict(inputs).detach()
    assert predicted.shape == (RUNS, SAMPLES, OUTPUTS) and model.runs == RUNS
    for run in range(RUNS):
        wanted = targets[run] if per_run else targets
        expected = torch_loss(predicted[run : run + 1], wanted, loss)[0]
        assert_close(model.loss(inputs, targets).detach()[run], expected)


@every_model
def test_data_of_their_own_that_are_alike_are_shared_data(make: Callable[[str], Model]) -> None:
    model, (inputs, targets) = make("mse"), data("mse", False)
    own = model.loss(inputs.expand(RUNS, -1, -1), targets.expand(RUNS, -1, -1))
    assert_close(own.detach(), model.loss(inputs, targets).detach())


@every_model
def test_a_run_that_is_not_finite_leaves_its_neighbours_alone(make: Callable[[str], Model]) -> None:
    model, given = make("mse"), data("mse", False)
    (sound,) = torch.autograd.grad(model.loss(*given).sum(), model.parameters)
    with torch.no_grad():
        model.parameters[1] = torch.nan
    loss = model.loss(*given)
    (gradient,) = torch.autograd.grad(loss.sum(), model.parameters)
    assert loss.isnan().tolist() == [False, True, False]
    assert torch.equal(gradient[[0, 2]], sound[[0, 2]])


@every_model
def test_the_parts_have_names_and_are_views(make: Callable[[str], Model]) -> None:
    model = make("mse")
    named = model.named()
    assert {name: tuple(part.shape[1:]) for name, part in named.items()} == model.layout
    flat = torch.cat([part.detach().reshape(RUNS, -1) for part in named.values()], 1)
    assert torch.equal(flat, model.parameters)
    assert all(part.data_ptr() >= model.parameters.data_ptr() for part in named.values())
    assert model.width >= OUTPUTS


def test_an_equations_parameters_are_worth_a_curve() -> None:
    assert equations("mse").scalars == {"a": 0, "b": 1, "c": 2}
    assert mlp("mse").scalars == {}


def test_metrics_suit_the_loss() -> None:
    of_classes = {"accuracy", "balanced_accuracy", "f1", "roc_auc"}
    assert {*mlp("cross_entropy").metrics} == of_classes
    assert {*mlp("mse").metrics} == {*mlp("sse").metrics} == {"rmse", "mae", "r2"}
