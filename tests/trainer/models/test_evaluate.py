"""Losses and metrics over a whole data set."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, get_ident

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.kernels.language import parse
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models import predict as module
from packtrain.trainer.models.base import Model
from packtrain.trainer.models.evaluate import Evaluation, evaluate, evaluate_only
from packtrain.trainer.models.expression import ExpressionModel
from packtrain.trainer.models.mlp import MLPModel
from packtrain.trainer.models.predict import outputs_of
from packtrain.trainer.models.weights import initial_weights
from tests.helpers import assert_close
from tests.losses import LOSSES
from tests.thorough import examples
from tests.trainer.engines.by_samples import Table, Thread

SIZE = 101
GRAPH = parse(["xy = a*x", "xz = b*x^2"])
INPUTS = torch.linspace(-1, 1, SIZE, dtype=torch.float64)[:, None]
PARAMETERS = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.5, -1.0]], dtype=torch.float64)


def regression(loss: str, parameters: torch.Tensor = PARAMETERS) -> tuple[Model, Dataset]:
    targets = torch.cat([INPUTS.cos(), INPUTS.sin()], 1)
    return ExpressionModel(GRAPH, parameters.clone(), loss, None), Dataset(
        INPUTS.clone(), targets, ("x",), ("xy", "xz")
    )


def classification() -> tuple[Model, Dataset]:
    weights = initial_weights([1, 8, 3], True, torch.arange(3), torch.float64)
    data = Dataset(INPUTS, torch.arange(SIZE)[:, None] % 3, ("x",), ("0", "1", "2"))
    return MLPModel(weights, [1, 8, 3], True, "cross_entropy"), data


def known(found: Evaluation) -> torch.Tensor:
    """Of one sample there is no r2."""
    return everything(found).nan_to_num(-7)


def everything(found: Evaluation) -> torch.Tensor:
    return torch.stack([found.loss, *found.metrics.values()])


CURVED = parse(["xs = exp(a*xa)", "xy = xs*cos(b*xb)", "xz = log(1 + xs)^a"])  # what vectors round otherwise
WIDTHS = [2, 33, 17, 2]
MODELS = st.sampled_from(["expression", "perceptron"]), st.sampled_from(list(LOSSES))
DTYPES = st.sampled_from([torch.float32, torch.float64])


@settings(max_examples=examples(30), deadline=None)
@given(*MODELS, DTYPES, st.sampled_from([1, 2]), st.sampled_from([1, 3, 257, 1025, 40_001]), st.data())
def test_a_run_is_worth_the_same_bits_in_any_pack(
    which: str, loss: str, dtype: torch.dtype, threads: int, samples: int, data: st.DataObject
) -> None:
    seed = data.draw(st.integers(0, 99))
    runs = data.draw(st.integers(2, min(70, 2 + 100_000 // samples)))
    model, held = drawn(which, loss, runs, samples, dtype, seed)
    picked = torch.tensor(data.draw(st.lists(st.integers(0, runs - 1), min_size=1, max_size=3)))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = known(evaluate(model, held))
        for run in picked:
            alone = known(evaluate(model.of(run[None]), held))
            assert torch.equal(whole[:, run], alone[:, 0])
        marked = torch.zeros(runs, dtype=torch.bool).index_fill(0, picked, True)
        assert torch.equal(known(evaluate_only(model, held, marked))[:, marked], whole[:, marked])
    finally:
        torch.set_num_threads(before)


def drawn(
    which: str, loss: str, runs: int, samples: int, dtype: torch.dtype, seed: int
) -> tuple[Model, Dataset]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(samples, 2, generator=generator, dtype=torch.float64)
    classes = torch.randint(2, (samples, 1), generator=generator)
    numbers = torch.rand(samples, 2, generator=generator, dtype=torch.float64)
    data = Dataset(inputs, classes if loss == "cross_entropy" else numbers, ("xa", "xb"), ("xy", "xz"))
    held = data.to(torch.device("cpu"), dtype)
    if which == "perceptron":
        weights = initial_weights(WIDTHS, True, torch.arange(runs) + seed, dtype)
        return MLPModel(weights, WIDTHS, True, loss), held
    parameters = torch.rand(runs, 2, generator=generator, dtype=torch.float64).to(dtype)
    return ExpressionModel(CURVED, parameters, loss, None, "numba"), held


@pytest.mark.parametrize("most", [1, 20, 64, 333, 1000])
@pytest.mark.parametrize("kind", ["mse", "sse", "cross_entropy"])
def test_blocks_make_no_difference(kind: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = classification() if kind == "cross_entropy" else regression(kind)
    whole = evaluate(model, data)
    monkeypatch.setattr(module, "MOST_NUMBERS", most)
    assert_close(everything(evaluate(model, data)), everything(whole))


@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_ranks_share_the_blocks_and_come_to_the_same_bits(
    kind: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = regression("mse") if kind == "regression" else classification()
    monkeypatch.setattr(module, "MOST_NUMBERS", 16 * model.width)  # blocks of 16 of the 101 samples
    computed = Counter[int]()

    def counted(model: Model, inputs: torch.Tensor) -> torch.Tensor:
        computed[get_ident()] += 1
        return outputs_of(model, inputs)

    monkeypatch.setattr("packtrain.trainer.models.evaluate.outputs_of", counted)
    alone = evaluate(model, data)
    blocks = computed.pop(get_ident())
    table = Table({}, Barrier(size))
    with ThreadPoolExecutor(size) as pool:
        ranks = [Thread(rank, size, table=table) for rank in range(size)]
        found = list(pool.map(lambda own: evaluate(model, data, ranks=own), ranks))
    assert all(torch.equal(known(one), known(alone)) for one in found)
    assert blocks > 6 and max(computed.values()) <= -(-blocks // size) + model.runs


def test_of_some_runs_the_others_are_not_known() -> None:
    for model, data in (regression("mse"), classification()):
        whole, marked = everything(evaluate(model, data)), torch.tensor([True, False, True])
        found = everything(evaluate_only(model, data, marked))
        assert_close(found[:, marked], whole[:, marked])
        assert found[:, ~marked].isnan().all()
        assert list(evaluate_only(model, data, marked, metrics=False).metrics) == []


def test_the_loss_and_the_metrics_are_those_of_their_names() -> None:
    for kind in ("mse", "sse"):
        model, data = regression(kind)
        error = model.predict(data.inputs).detach() - data.targets
        found = evaluate(model, data)
        squares = error.square()
        assert_close(found.loss, squares.mean((1, 2)) if kind == "mse" else squares.sum((1, 2)))
        assert_close(found.metrics["rmse"], squares.mean((1, 2)).sqrt())
        assert_close(found.metrics["mae"], error.abs().mean((1, 2)))


@pytest.mark.parametrize("kind", ["mse", "sse"])
@pytest.mark.parametrize("most", [20, 1000])
def test_weights_multiply_the_squared_errors(kind: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NUMBERS", most)
    model, data = regression(kind)
    weights = torch.arange(SIZE, dtype=torch.float64)
    found = evaluate(model, replace(data, weights=weights + 1))
    squares = (model.predict(data.inputs).detach() - data.targets).square() * (weights[:, None] + 1)
    assert_close(found.loss, squares.mean((1, 2)) if kind == "mse" else squares.sum((1, 2)))
    assert_close(found.metrics["rmse"], evaluate(model, data).metrics["rmse"])


@pytest.mark.parametrize("kind", ["mse", "sse"])
def test_samples_of_weight_0_are_out_of_loss_and_metrics(kind: str) -> None:
    """Also where nothing finite is predicted of them."""
    model, data = regression(kind)
    weights = torch.arange(SIZE, dtype=torch.float64) % 3
    data.inputs[weights == 0], data.targets[weights == 0] = torch.nan, torch.inf
    found = evaluate(model, replace(data, weights=weights))
    kept = replace(data.part(weights > 0), weights=weights[weights > 0])
    assert found.loss.isfinite().all()
    assert torch.equal(everything(found), everything(evaluate(model, kept)))


def test_of_samples_that_all_have_the_weight_0_no_metric_is_known() -> None:
    model, data = regression("mse")
    found = evaluate(model, replace(data, weights=torch.zeros(SIZE, dtype=torch.float64)))
    assert found.loss.isnan().all() and all(each.isnan().all() for each in found.metrics.values())


def test_the_loss_is_the_models_own() -> None:
    for model, data in (regression("mse"), regression("sse"), classification()):
        found = evaluate(model, data)
        assert_close(found.loss, model.loss(data.inputs, data.targets).detach())
        assert not found.loss.requires_grad


def test_accuracy_counts_the_largest_output() -> None:
    model, data = classification()
    right = model.predict(data.inputs).argmax(-1) == data.targets[:, 0]
    assert_close(evaluate(model, data).metrics["accuracy"], right.double().mean(1))


def test_a_run_that_is_not_finite_leaves_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NUMBERS", 64)
    broken = PARAMETERS.clone()
    broken[1] = torch.tensor([torch.nan, torch.inf])
    sound, found = everything(evaluate(*regression("mse"))), everything(evaluate(*regression("mse", broken)))
    assert not found[:, 1].isfinite().any()
    assert torch.equal(found[:, [0, 2]], sound[:, [0, 2]])


def test_sums_are_of_double_precision() -> None:
    model, data = regression("mse", PARAMETERS)
    single = ExpressionModel(GRAPH, PARAMETERS.float(), "mse", None)
    found = evaluate(single, data.to(torch.device("cpu"), torch.float32))
    assert found.loss.dtype == torch.float64
    assert_close(found.loss, evaluate(model, data).loss, torch.float32)
