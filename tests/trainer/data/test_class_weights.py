"""data.class_weights: scikit-learn's, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data.class_weights import with_class_weights
from packtrain.trainer.data.dataset import Data, Dataset
from tests.helpers import Command, result_in

LABELS = np.array([0, 0, 0, 1, 2, 2, 0, 1, 0])


def of_classes(labels: np.ndarray = LABELS, **more: object) -> Dataset:
    targets = torch.from_numpy(labels)[:, None]
    return Dataset(torch.ones(len(labels), 1), targets, ("x",), ("a", "b", "c"), **more)  # pyright: ignore


def test_balanced_weights_are_scikit_learns() -> None:
    data = with_class_weights(Data(of_classes(), of_classes(np.array([2, 1]))), "balanced")
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    assert data.train.weights is not None and data.validation is not None
    assert data.train.weights.numpy() == pytest.approx(expected[LABELS])
    assert data.validation.weights is not None
    assert data.validation.weights.numpy() == pytest.approx(expected[[2, 1]])


def test_a_mapping_leaves_other_classes_at_1_and_multiplies_samples_weights() -> None:
    own = torch.arange(len(LABELS)).double()
    data = with_class_weights(Data(of_classes(weights=own), None), {"b": 3, "c": 0})
    assert data.train.weights is not None
    assert (
        data.train.weights.tolist()
        == (own * torch.tensor([1.0, 3.0, 0.0])[torch.from_numpy(LABELS)]).tolist()
    )


def test_one_hot_targets_and_0_and_1_are_classes() -> None:
    one_hot = torch.eye(2, dtype=torch.float64)[[0, 0, 1]]
    for targets, names, one in ((one_hot, ("a", "b"), True), (one_hot[:, 1:], ("y",), False)):
        part = Dataset(torch.ones(3, 1), targets, ("x",), names, one_hot=one)
        weights = with_class_weights(Data(part, None), "balanced").train.weights
        assert weights is not None and weights.tolist() == [0.75, 0.75, 1.5]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("equal", "is balanced, or classes with their weights such as"),
        ({"d": 1}, "there is no class 'd'"),
        ({"a": -1}, "the weight of a is 0 or more; got -1"),
        ({"a": True}, "got True"),
        ({"a": 0, "b": 0, "c": 0}, "every weight is 0"),
    ],
)
def test_what_is_no_weight_is_refused(given: object, message: str) -> None:
    with pytest.raises(UserError, match=r"data\.class_weights") as refused:
        with_class_weights(Data(of_classes(), None), given)
    assert message in str(refused.value)


def test_numbers_have_no_classes() -> None:
    numbers = Dataset(torch.ones(3, 1), torch.rand(3, 1), ("x",), ("y",))
    with pytest.raises(UserError, match="are for classes, and y has numbers"):
        with_class_weights(Data(numbers, None), "balanced")


@pytest.mark.parametrize("given", ["data.class_weights={0: 5}", "data.class_weights.0=5"])
def test_classes_that_are_numbers_are_given_weights_on_the_command_line(cli: Command, given: str) -> None:
    usual = "experiment=gaussians", "loop.steps=1", "data.size=500", "monitor=quiet"

    def first_loss(*arguments: str) -> float:
        assert cli(*usual, *arguments).code == 0
        return result_in(Path("out"))["run"][0]["loss"]["train"]["first"]

    assert first_loss(given) > first_loss()
