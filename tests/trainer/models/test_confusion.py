"""Which classes a run takes for which."""

import pytest
import torch
from sklearn.metrics import confusion_matrix

from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models import evaluate as module
from packtrain.trainer.models import predict
from packtrain.trainer.models.evaluate import confusion, evaluate
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights

N, RUN = 60, 2
INPUTS = torch.randn(N, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
CLASSES = torch.arange(N) % 3


def model_of(outputs: int, loss: str) -> MLPModel:
    widths = [3, 5, outputs]
    weights = initial_weights(widths, True, torch.arange(4), torch.float64)
    return MLPModel(weights, widths, True, loss)


def data_of(targets: torch.Tensor, *names: str, one_hot: bool = False) -> Dataset:
    return Dataset(INPUTS, targets, ("a", "b", "c"), names, one_hot=one_hot)


@pytest.mark.parametrize("most", [20, 1 << 22])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_it_is_scikit_learns(loss: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "MOST_NUMBERS", most)
    one_hot = loss == "mse"
    targets = torch.nn.functional.one_hot(CLASSES, 4).double() if one_hot else CLASSES[:, None]
    model, data = model_of(4, loss), data_of(targets, "no", "one", "two", "never", one_hot=one_hot)
    model.one_hot = one_hot
    counted = confusion(model, data, RUN)
    assert counted is not None and counted["classes"] == ["no", "one", "two", "never"]
    predicted = model.predict(INPUTS)[RUN].argmax(-1)
    assert counted["counts"] == confusion_matrix(CLASSES, predicted, labels=range(4)).tolist()
    right = sum(counted["counts"][k][k] for k in range(4))
    assert right / N == evaluate(model, data).metrics["accuracy"][RUN]


def test_of_one_logit_the_classes_are_0_and_1() -> None:
    model, targets = model_of(1, "binary_cross_entropy"), (CLASSES == 1).double()[:, None]
    counted = confusion(model, data_of(targets, "ill"), RUN)
    assert counted is not None and counted["classes"] == ["0", "1"]
    says = (model.predict(INPUTS)[RUN] > 0).long()
    assert counted["counts"] == confusion_matrix(targets, says, labels=[0, 1]).tolist()


def test_numbers_labels_and_very_many_classes_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert confusion(model_of(1, "mse"), data_of(INPUTS[:, :1], "y"), RUN) is None
    assert (
        confusion(model_of(2, "binary_cross_entropy"), data_of((INPUTS[:, :2] > 0).double(), "a", "b"), 0)
        is None
    )
    monkeypatch.setattr(module, "MOST_CLASSES", 2)
    assert confusion(model_of(3, "cross_entropy"), data_of(CLASSES[:, None], "a", "b", "c"), RUN) is None
