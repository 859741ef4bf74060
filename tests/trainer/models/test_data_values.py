"""Starting values that are values of the data, of each run's own samples alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.common.segments import Segments
from packtrain.trainer.config.data_values import read_value
from packtrain.trainer.data.dataset import Dataset
from packtrain.trainer.models.data_values import DataValues
from packtrain.trainer.session import Session
from tests.strategies import few
from tests.trainer.configs import pack_of

NUMPY = {
    "min(t)": np.min,
    "max(t)": np.max,
    "mean(t)": np.mean,
    "median(t)": np.median,
    "std(t)": np.std,
    "sum(t)": np.sum,
    "first(t)": lambda t: t[0],
    "last(t)": lambda t: t[-1],
    "count(t)": len,
    "quantile(t, 0.3)": lambda t: np.quantile(t, 0.3),
    "1/mean(t^2 + 1)": lambda t: 1 / np.mean(t**2 + 1),
    "max(min(t), 0, 2*median(t))": lambda t: max(np.min(t), 0, 2 * np.median(t)),
    "log(max(abs(t)) + 1)/3": lambda t: np.log(np.abs(t).max() + 1) / 3,
    "7/2": lambda t: 3.5,
}
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def dataset(sizes: list[int], seed: int) -> Dataset:
    inputs = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(sizes), 1)))
    return Dataset(inputs, inputs, ("t",), ("y",), segments=Segments.after_another(torch.tensor(sizes)))


@few
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_they_are_numpys_and_those_of_a_run_alone(sizes: list[int], seed: int) -> None:
    data = dataset(sizes, seed)
    values = DataValues(data, len(sizes))
    for text, function in NUMPY.items():
        together = values.of(text, "model.initial.a")
        for run in range(len(sizes)):
            alone = data.of_run(run)
            assert together[run] == DataValues(alone, 1).of(text, "model.initial.a")[0]
            np.testing.assert_allclose(together[run], function(alone.inputs[:, 0].numpy()), rtol=1e-12)


def test_samples_without_weight_do_not_count_and_a_run_without_samples_has_none() -> None:
    weights = torch.tensor([1.0, 0.0, 1.0]).double()
    inputs = torch.tensor([[1.0], [9.0], [3.0]])
    segments = Segments.after_another(torch.tensor([3, 0]))
    data = Dataset(inputs, inputs, ("t",), ("y",), weights=weights, segments=segments)
    largest = DataValues(data, 2).of("max(t)", "model.initial.a")
    assert largest[0] == 3 and largest[1].isnan()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean(t", r"expected '\)' to close the parenthesis"),
        ("mean(t, 2)", "mean takes one expression, got 2"),
        ("quantile(t)", "quantile takes values and a level from 0 to 1, got 1"),
        ("quantile(t, 2)", "the level of a quantile is a number from 0 to 1, got 2"),
        ("std(t - mean(t))", "std is of values in the samples, and holds no other such"),
        ("mean(t u)", "expected an operator or '\\)', got 'u'"),
        ("mean(t) 2", "expected an operator or the end, got '2'"),
        ("foo(t)", "unknown function foo"),
        ("max(u)", r"the data have no column 'u'; they have t, y"),
        ("t + 1", "t is one number where it is the same in all samples"),
    ],
)
def test_a_text_that_is_no_value_is_a_sentence(text: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^model.initial.a: {message}"):
        DataValues(dataset([3], 0), 1).of(text, "model.initial.a")


TABLE = "data.table={x: [1, 2, 3, 4], xy: [2, 4, 9, 12], dose: [5, 5, 7, 7], cell: [a, a, b, b]}"
LINE = "experiment=fit", 'model.expressions=["xy = a*x + b"]', TABLE


def starts(*arguments: str) -> list[list[float]]:
    return Session.prepare(pack_of(*LINE, *arguments)).engine.model.parameters.tolist()


def test_a_config_starts_at_values_of_its_data() -> None:
    assert starts('model.initial={a: "max(xy)/max(x)", b: "min(dose)"}') == [[3.0, 5.0]]
    varied = 'pack.over={model.initial.a: ["max(xy)", 1]}'
    assert starts(varied, 'model.initial={b: "1/2"}') == [[12.0, 0.5], [1.0, 0.5]]


def test_a_range_may_be_of_values_of_the_data() -> None:
    many = starts('model.initial={a: ["min(xy)", "max(xy)"], b: 0}', "model.starts=5")
    assert len({a for a, _ in many}) == 5 and all(2 <= a < 12 and b == 0 for a, b in many)


def test_each_group_starts_at_values_of_its_own() -> None:
    assert starts("data.group=cell", 'model.initial={a: "max(xy)", b: dose}') == [[4.0, 5.0], [12.0, 7.0]]
    with pytest.raises(UserError, match=r"dose is one number where it is the same .*, and it is from 5 to 7"):
        starts("model.initial={a: 1, b: dose}")
    with pytest.raises(UserError, match=r"has no column 'doses' for model.initial"):
        starts('model.initial={a: "mean(doses)", b: 1}')


def test_values_of_the_data_are_kept_within_bounds_and_harm_no_other_group() -> None:
    bounded = "model.bounds={a: [null, 10]}"
    assert starts("data.group=cell", 'model.initial={a: "max(xy)", b: 0}', bounded) == [
        [4.0, 0.0],
        [10.0, 0.0],
    ]
    (ill, well) = starts("data.group=cell", 'model.initial={a: "1/(first(x) - 1)", b: 0}')
    assert np.isnan(ill[0]) and well == [0.5, 0.0]
    with pytest.raises(UserError, match=r"model.initial.a is no finite number in these data: inf"):
        starts('model.initial={a: "1/(first(x) - 1)", b: 0}')


def test_what_it_reads() -> None:
    value = read_value("quantile(log(y), 0.9)/`dark current` + max(t, 1)", "model.initial.a")
    assert value.columns == ["dark current", "t", "y"] and value.constants == ["dark current", "t"]
