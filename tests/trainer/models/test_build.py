"""From a config to a model that suits its data."""

import pytest
import torch

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.models.base import Model
from packtrain.trainer.models.build import make_graph, make_layout, new_model
from packtrain.trainer.models.evaluate import evaluate
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.models.mlp import MLPModel
from tests.helpers import assert_close
from tests.trainer.configs import pack_of, untrained

LINE = ("~experiment", 'model.expressions=["xy = a*x + b"]')
MLP = ("experiment=gaussians",)


def data(inputs: int = 1, targets: tuple[str, ...] = ("xy",)) -> Dataset:
    names = tuple(f"x{i}" for i in range(inputs))
    return Dataset(torch.zeros(3, inputs), torch.zeros(3, len(targets)), names, targets)


def model_of(*overrides: str, given: Dataset | None = None) -> Model:
    pack = pack_of(*overrides)
    return new_model(pack, make_graph(pack.config.model), given or data(), torch.float64, "reference")


def test_equations_become_a_model_with_an_initial_value_a_run() -> None:
    over = 'pack.over={model.initial.a: [1, [2, 3]], seed: "5,6"}'
    model = model_of(*LINE, "model.initial={b: 4}", over)
    assert isinstance(model, ExpressionModel) and model.runs == 4 and model.grad_delta is None
    assert model.named()["b"].tolist() == [4] * 4
    a = model.named()["a"].tolist()
    assert a[:2] == [1, 1] and all(2 <= value < 3 for value in a[2:]) and a[2] != a[3]


def test_a_runs_start_is_the_same_in_any_pack() -> None:
    among = model_of(*LINE, 'pack.over={seed: "range(0,5)"}').parameters
    assert torch.equal(among[3], model_of(*LINE, "seed=3").parameters[0])


def test_finite_differences_take_their_step_from_the_config() -> None:
    model = model_of(*LINE, "model.gradient=finite_difference", "model.grad_delta=0.5")
    assert isinstance(model, ExpressionModel) and model.grad_delta == 0.5


def test_an_mlp_has_the_asked_layers() -> None:
    model = model_of(*MLP, "compute.precision=bf16", "model.quantize=[1]", given=data(2, ("0", "1")))
    assert isinstance(model, MLPModel) and model.widths == (2, 10, 2)
    assert model.quantized == {1} and model.product == "bf16"
    assert make_layout(pack_of(*MLP).config.model, None) == model.layout


def test_a_note_says_where_a_hidden_layer_is_quantized_and_its_error_added() -> None:
    told = load_data(pack_of(*MLP, "model.quantize=[0,1]")).notes
    assert len(told) == 1 and "model.quantize_error=drop" in told[0]
    for quiet in (["model.quantize=[0]"], ["model.quantize=[1]", "model.quantize_error=drop"], []):
        assert not load_data(pack_of(*MLP, *quiet)).notes


def test_cross_entropy_takes_equations_with_an_output_a_class() -> None:
    logits = ("~experiment", 'model.expressions=["xu = a*x", "xv = b*x"]', "model.loss=cross_entropy")
    classes = Dataset(torch.ones(2, 1), torch.tensor([[0], [1]]), ("x",), ("no", "yes"))
    model = model_of(*logits, given=classes)
    loss = model.loss(classes.inputs.double(), classes.targets)
    assert "accuracy" in model.metrics and loss.isfinite().all()
    with pytest.raises(UserError, match="the equations have 2 outputs, but the data have 3 classes"):
        model_of(*logits, given=data(1, ("a", "b", "c")))


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("~experiment",), "model=expression needs equations"),
        (("~experiment", "model.expressions=3"), "model.expressions is a text or a list of equations; got 3"),
        (("~experiment", "model.expressions={a: b}"), "model.expressions is a text or a list"),
        ((*LINE, "model.initial={c: 1}"), "the equations have no parameter 'c'"),
        ((*LINE, "model.initial={a.b: 1}"), "the equations have no parameter 'a.b'"),
        ((*LINE, "pack.over={model.initial.c: 1}"), "the equations have no parameter 'c'"),
        ((*LINE, "model.initial={a: word}"), "model.initial.a: the data have no column 'word'"),
        ((*LINE, "model.initial={a: true}"), "model.initial.a is a number or a range"),
        ((*LINE, "model.initial_range=[3]"), "model.initial_range is a number or a range"),
        ((*MLP, "model.widths=null"), r"model.widths lists the hidden layers, such as \[64, 32\].*got None"),
        ((*MLP, "model.widths=[2,0,2]"), r"here \[2, 64, 32, 2\]; got \[2, 0, 2\]"),
        ((*MLP, "model.widths=[3,2]"), r"say \[2, 2\], or, if these are hidden layers, \[2, 3, 2, 2\]"),
        ((*MLP, "model.quantize=[2]"), "model.quantize lists layers from 0 to 1; got 2"),
        ((*MLP, "model.quantize=[-1]"), "model.quantize lists layers from 0 to 1; got -1"),
    ],
)
def test_a_model_that_cant_be_is_refused(overrides: tuple[str, ...], message: str) -> None:
    given = data(2, ("0", "1")) if MLP[0] in overrides else data()
    with pytest.raises(UserError, match=message) as refused:
        model_of(*overrides, given=given)
    assert "\n" not in str(refused.value)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("loss", ["mse", "sse"])
def test_squared_errors_on_one_hot_labels(loss: str) -> None:
    """The lecture's first classifier, as an MLP, as equations, and from a table: accuracy is reported."""
    pair = "model.expressions=['xu = a*x1 + b*x2 + c', 'xv = 1 - xu']", "model.outputs=[xu, xv]"
    iris = "data=sklearn", "data.set=iris", "model.widths=[4,3]"
    for asked, classes in (
        (("experiment=gaussians",), 2),
        (("~experiment", "data=gaussians", *pair), 2),
        (("experiment=gaussians", *iris), 3),
    ):
        _, model, found, _ = untrained(*asked, f"model.loss={loss}", "compute.backend=reference")
        assert found.one_hot and found.targets.sum(1).eq(1).all() and found.targets.shape[1] == classes
        worth = evaluate(model, found)
        outputs = model.predict(found.inputs).detach()[0]
        right = outputs.argmax(1) == found.targets.argmax(1)
        assert_close(worth.metrics["accuracy"], right.double().mean()[None])
        assert {"rmse", "mae", "r2", "accuracy", "balanced_accuracy", "f1"} == {*worth.metrics}
        assert set(evaluate(model.of(torch.tensor([True])), found).metrics) == set(worth.metrics)
