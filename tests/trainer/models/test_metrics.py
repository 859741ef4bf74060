"""Metrics are scikit-learn's, of many runs at once, in blocks of samples."""

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning
from torch import Tensor

from packtrain.kernels.loss import loss_of
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models import metrics as module
from packtrain.trainer.models.evaluate import evaluate
from packtrain.trainer.models.metrics import metrics_of, spread_of, tallies
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.weights import initial_weights
from tests.helpers import assert_close

RUNS = 3
ZERO: Any = 0


def metrics(
    loss: str, outputs: Tensor, targets: Tensor, classes: int = 0, block: int = 5
) -> dict[str, Tensor]:
    """The metrics of outputs [R, N, T] by name, added up `block` samples at a time."""
    kind, one_hot = loss_of(loss), loss == "mse" and bool(classes)
    names = metrics_of(kind, one_hot)
    added = tallies(names, kind, targets, classes, len(outputs), lambda: spread_of(lambda: [targets]))
    for tally in added:
        for start in range(0, outputs.shape[1], block):
            tally.add(outputs[:, start : start + block], targets[start : start + block])
    together = {name: values for tally in added for name, values in tally.metrics().items()}
    assert together.keys() == {*names} and all(v.shape == (len(outputs),) for v in together.values())
    return together


def drawn(data: st.DataObject, *shape: int) -> Tensor:
    """Numbers, of which some are equal where they are rounded."""
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1 << 30)))
    values = 3 * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return values.round() if data.draw(st.booleans()) else values


def expect(computed: dict[str, Tensor], name: str, expected: list[float]) -> None:
    assert_close(computed[name], torch.tensor(expected, dtype=torch.float64))


ANY = settings(max_examples=20, deadline=None)


@ANY
@given(st.integers(2, 40), st.integers(1, 3), st.booleans(), st.data())
def test_of_numbers(samples: int, targets: int, constant: bool, data: st.DataObject) -> None:
    t, y = drawn(data, samples, targets), drawn(data, RUNS, samples, targets)
    if constant:
        t[:, 0], y[0, :, 0] = 0.5, 0.5  # a target that doesn't vary is met by one run
    computed = metrics("mse", y, t)
    expect(computed, "rmse", [sk.mean_squared_error(t, each) ** 0.5 for each in y])
    expect(computed, "mae", [sk.mean_absolute_error(t, each) for each in y])
    expect(computed, "r2", [sk.r2_score(t, each) for each in y])


@ANY
@given(st.integers(2, 40), st.integers(2, 5), st.data())
def test_of_classes(samples: int, classes: int, data: st.DataObject) -> None:
    """Also where a class doesn't occur."""
    some = data.draw(st.integers(2, classes))
    t = torch.tensor(data.draw(st.lists(st.integers(0, some - 1), min_size=samples, max_size=samples)))
    y = drawn(data, RUNS, samples, classes)
    computed = metrics("cross_entropy", y, t[:, None], classes)
    expect_classes(computed, t, y.argmax(-1))
    one_hot = torch.nn.functional.one_hot(t, classes).double()
    of_squares = metrics("mse", y, one_hot, classes)
    assert all(torch.equal(of_squares[name], computed[name]) for name in module.OF_CLASSES)
    columns = [k for k in range(classes) if 0 < (t == k).sum() < samples]
    if columns:
        scores = y.softmax(-1)
        areas = [[sk.roc_auc_score(t == k, each[:, k]) for k in columns] for each in scores]
        expect(computed, "roc_auc", torch.tensor(areas, dtype=torch.float64).mean(1).tolist())
        if len(columns) == classes and classes > 2:
            expect(computed, "roc_auc", [sk.roc_auc_score(t, each, multi_class="ovr") for each in scores])
    else:
        assert computed["roc_auc"].isnan().all()


def expect_classes(computed: dict[str, Tensor], t: Tensor, predicted: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes that are predicted and don't occur
        balanced = [sk.balanced_accuracy_score(t, each) for each in predicted]
    expect(computed, "accuracy", [float(sk.accuracy_score(t, each)) for each in predicted])
    expect(computed, "balanced_accuracy", balanced)
    expect(
        computed,
        "f1",
        [float(sk.f1_score(t, each, average="macro", zero_division=ZERO)) for each in predicted],
    )


@ANY
@given(st.integers(2, 40), st.data())
def test_of_one_logit(samples: int, data: st.DataObject) -> None:
    t, y = (drawn(data, samples, 1) > 0).double(), drawn(data, RUNS, samples, 1)
    computed = metrics("binary_cross_entropy", y, t)
    expect_classes(computed, t[:, 0].long(), (y[..., 0] > 0).long())
    if 0 < t.sum() < samples:
        expect(computed, "roc_auc", [sk.roc_auc_score(t[:, 0], each[:, 0]) for each in y])
        both = torch.cat([torch.zeros_like(y), y], 2)
        assert torch.equal(metrics("cross_entropy", both, t.long(), 2)["roc_auc"], computed["roc_auc"])
    else:
        assert computed["roc_auc"].isnan().all()


@ANY
@given(st.integers(2, 40), st.integers(2, 4), st.data())
def test_of_several_labels(samples: int, labels: int, data: st.DataObject) -> None:
    t, y = (drawn(data, samples, labels) > 0).double(), drawn(data, RUNS, samples, labels)
    computed = metrics("binary_cross_entropy", y, t)
    yes = (y > 0).double()
    expect(computed, "accuracy", [float(sk.accuracy_score(t, each)) for each in yes])
    expect(computed, "f1", [float(sk.f1_score(t, each, average="macro", zero_division=ZERO)) for each in yes])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of_labels = [[sk.balanced_accuracy_score(t[:, k], each[:, k]) for k in range(labels)] for each in yes]
    expect(computed, "balanced_accuracy", torch.tensor(of_labels, dtype=torch.float64).mean(1).tolist())
    if bool(((t.sum(0) > 0) & (t.sum(0) < samples)).all()):
        expect(computed, "roc_auc", [float(sk.roc_auc_score(t, each)) for each in y])


def test_one_sample_has_no_r2() -> None:
    """As in scikit-learn, which warns."""
    t, y = torch.ones(1, 1), torch.zeros(1, 1, 1)
    with pytest.warns(UndefinedMetricWarning):
        assert torch.tensor(sk.r2_score(t, y[0])).isnan()
    computed = metrics("mse", y, t)
    assert computed["r2"].isnan().all() and computed["rmse"].item() == 1


def test_scores_that_are_not_finite_have_no_ranks() -> None:
    y = torch.tensor([[[0.0, 1.0], [0.0, 2.0]], [[0.0, torch.nan], [0.0, 1.0]]])
    assert metrics("cross_entropy", y, torch.tensor([[0], [1]]), 2)["roc_auc"].nan_to_num(-1).tolist() == [
        1,
        -1,
    ]


def test_of_too_many_scores_there_are_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SCORES", 3)
    y, t = torch.randn(2, 4, 2), torch.tensor([[0], [1], [0], [1]])
    assert metrics("cross_entropy", y, t, 2)["roc_auc"].isnan().all()
    assert metrics("cross_entropy", y[:, :3], t[:3], 2)["roc_auc"].isfinite().all()


def test_metrics_of_standardized_targets_are_in_their_units() -> None:
    x = torch.linspace(-1, 1, 30, dtype=torch.float64)[:, None]
    plain = Dataset(x, 500 + 100 * x.cos(), ("x",), ("y",))
    mean, std = plain.targets.mean(0), plain.targets.std(0)
    model = MLPModel(initial_weights([1, 4, 1], True, torch.arange(3), torch.float64), [1, 4, 1], True, "mse")
    scaled = evaluate(model, plain.with_standardized_targets(mean, std))
    error = model.predict(x).detach() * std + mean - plain.targets
    assert_close(scaled.metrics["rmse"], error.square().mean((1, 2)).sqrt())
    assert_close(scaled.metrics["mae"], error.abs().mean((1, 2)))
    assert_close(scaled.loss, (error / std).square().mean((1, 2)))
    unscaled = replace(plain, targets=(plain.targets - mean) / std)
    assert_close(scaled.metrics["r2"], evaluate(model, unscaled).metrics["r2"])


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "binary_cross_entropy"])
def test_of_no_sample_nothing_is_known(loss: str) -> None:
    kind, targets = loss_of(loss), torch.zeros(0, 1)
    for tally in tallies(metrics_of(kind), kind, targets, 2, RUNS, lambda: spread_of(lambda: [targets])):
        assert all(v.isnan().all() and v.shape == (RUNS,) for v in tally.metrics().values())
