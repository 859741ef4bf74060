"""What is held out: to validate by and to test by, at random, by class, by group and by time."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from packtrain.kernels.common.errors import UserError
from packtrain.kernels.language import parse
from packtrain.trainer.config.checks import check
from packtrain.trainer.config.schema import DataConfig
from packtrain.trainer.data.split import METHODS, Split
from packtrain.trainer.data.split_of import split_of
from packtrain.trainer.engines.prepare import load_data
from tests.strategies import few
from tests.trainer.configs import pack_of
from tests.trainer.data.loading import load

CPU = torch.device("cpu")
FRACTIONS = st.sampled_from([0.0, 0.1, 0.2, 0.4])
POINTS: dict[str, list[Any]] = {
    "x": [0, 1, 2, 3, 4, 5],
    "xy": [0, 2, 4, 6, 8, 10],
    "who": ["b", "a", "b", "c", "a", "c"],
    "day": ["2024-01-03", "2024-01-01", "2024-01-02", "2024-02-01", "2024-01-31", "2024-03-01"],
}
LINE = parse("xy = a*x")


def parts_of(split: Split, samples: int) -> tuple[list[int], list[int], list[int]]:
    train, validation, test = (part.tolist() for part in split.parts(samples, CPU))
    return train, validation, test


def counts_of(values: torch.Tensor, places: list[int]) -> Counter[int]:
    return Counter(values[torch.tensor(places, dtype=torch.int64)].tolist())


@few
@given(st.data(), st.sampled_from(list(METHODS)), FRACTIONS, FRACTIONS, st.integers(0, 2**63 - 1))
def test_each_sample_is_in_one_part(
    draw: st.DataObject, method: str, validation: float, test: float, seed: int
) -> None:
    samples = draw.draw(st.integers(5, 60))
    drawn = draw.draw(st.lists(st.integers(0, 5), min_size=samples, max_size=samples))
    values = torch.tensor(drawn).unique(return_inverse=True)[1]
    split = Split(seed, validation, test, method, values)
    try:
        parts = parts_of(split, samples)
    except UserError:
        assume(False)
        return
    assert sorted([*parts[0], *parts[1], *parts[2]]) == list(range(samples))
    assert bool(parts[1]) >= bool(validation) or method == "stratified"
    again = parts_of(split, samples)
    assert again == parts


def test_the_validation_part_stays_when_a_test_part_is_held_out_too() -> None:
    """And the test part whatever is held out to validate by: of the random ways."""
    values = torch.arange(40) % 5
    for method in ("random", "stratified", "group"):
        alone = Split(7, 0.2, 0, method, values), Split(7, 0, 0.4, method, values)
        both = parts_of(Split(7, 0.2, 0.4, method, values), 40)
        assert both[1] == parts_of(alone[0], 40)[1] and both[2] == parts_of(alone[1], 40)[2]


@few
@given(st.lists(st.integers(2, 40), min_size=2, max_size=5), FRACTIONS, st.integers(0, 99))
def test_a_stratified_part_has_its_share_of_each_class(sizes: list[int], test: float, seed: int) -> None:
    """Within 1 of it, as scikit-learn's, and as many in all; each class is trained on."""
    values = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    samples = len(values)
    assume(test and round(test * samples) >= len(sizes) and samples - round(test * samples) >= len(sizes))
    train, _, held = parts_of(Split(seed, 0, test, "stratified", values), samples)
    counts = counts_of(values, held)
    _, theirs = train_test_split(np.arange(samples), test_size=round(test * samples), stratify=values)
    assert abs(len(held) - len(theirs)) <= sum(size < 4 for size in sizes)
    for label, size in enumerate(sizes):
        assert abs(counts[label] - test * size) <= 1.01
    assert len(counts_of(values, train)) == len(sizes)


def test_a_class_of_one_or_two_samples_is_trained_on() -> None:
    sizes = [1] * 9 + [2] * 9 + [20]
    values = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    for seed in range(5):
        train, validation, test = parts_of(Split(seed, 0.4, 0.4, "stratified", values), len(values))
        assert len(counts_of(values, train)) == len(sizes) and validation and test


@few
@given(st.lists(st.integers(0, 7), min_size=9, max_size=40), st.integers(0, 99))
def test_a_group_is_in_one_part(drawn: list[int], seed: int) -> None:
    """And as many groups are held out as by scikit-learn's GroupShuffleSplit."""
    values = torch.tensor(drawn).unique(return_inverse=True)[1]
    groups = int(values.max()) + 1
    assume(groups > 3)
    parts = parts_of(Split(seed, 0.2, 0.4, "group", values), len(values))
    seen = [set(counts_of(values, part)) for part in parts]
    assert sum(map(len, seen)) == groups
    theirs = GroupShuffleSplit(1, test_size=max(1, round(0.4 * groups)), random_state=seed)
    _, held = next(theirs.split(values, groups=values))
    assert len(seen[2]) == len(set(values[held].tolist()))


@few
@given(st.lists(st.integers(0, 50), min_size=8, max_size=40))
def test_the_last_are_held_out_and_one_time_is_in_one_part(drawn: list[int]) -> None:
    values = torch.tensor(drawn).unique(return_inverse=True)[1]
    assume(int(values.max()) > 5)
    try:
        train, validation, test = parts_of(Split(0, 0.2, 0.2, "time", values), len(values))
    except UserError:
        assume(False)
        return
    assert max(values[train]) < min(values[validation]) and max(values[validation]) < min(values[test])
    without_ties = len(set(drawn)) == len(drawn)
    assert len(test) == round(0.2 * len(values)) or not without_ties
    assert len(test) >= round(0.2 * len(values))


def test_the_last_rows_are_held_out_in_order() -> None:
    assert parts_of(Split(3, 0.2, 0.2, "last"), 10) == ([0, 1, 2, 3, 4, 5], [6, 7], [8, 9])


def test_a_segment_is_split_as_if_it_were_alone() -> None:
    starts, counts = torch.tensor([0, 6, 7, 7]), torch.tensor([6, 1, 0, 6])
    values = torch.tensor([0, 0, 1, 1, 2, 2, 3, 0, 5, 5, 1, 1, 7])
    for method in METHODS:
        split = Split(5, 0.2, 0.2, method, values)
        for place, parts in enumerate(split.within(starts, counts)):
            start, count = int(starts[place]), int(counts[place])
            if count < 3:
                assert [len(part) for part in parts] == [count, 0, 0]
                continue
            alone = Split(5, 0.2, 0.2, method, values[start : start + count].unique(return_inverse=True)[1])
            expected = [[start + i for i in part] for part in parts_of(alone, count)]
            assert [part.tolist() for part in parts] == expected


def test_of_which_column_and_how_is_said_by_the_config() -> None:
    data = load("table", LINE, table=POINTS, test=0.3, split={"group": "who"})
    assert data.test is not None and data.validation is None
    held = {POINTS["who"][int(x)] for x in data.test.inputs[:, 0]}
    assert len(held) == 1 and len(data.test) == 2
    assert data.notes == ("held out by who: 2 samples to test by; 4 are left to train on",)
    data = load("table", LINE, table=POINTS, test=0.3, validation=0.2, split={"time": "day"})
    assert data.test is not None and data.validation is not None
    assert sorted(data.test.inputs[:, 0].tolist()) == [3, 5] and data.validation.inputs.tolist() == [[4]]
    data = load("ground_truth", LINE, size=10, truth={"a": 2}, test=0.2, split="last")
    assert data.test is not None and len(data.test) == 2


def test_a_column_that_splits_is_no_input_of_a_perceptron_unless_it_is_named() -> None:
    given: dict[str, Any] = {"table": POINTS, "split": {"group": "who"}, "test": 0.3}
    data = load("table", None, columns={"targets": "day"}, loss="cross_entropy", **given)
    assert data.train.input_names == ("x", "xy")
    by_time: dict[str, Any] = {**given, "split": {"time": "x"}}
    data = load("table", None, columns={"targets": "xy", "inputs": "x"}, **by_time)
    assert data.train.input_names == ("x",) and data.test is not None
    assert data.test.inputs.flatten().tolist() == [4, 5]


def test_all_parts_are_scaled_and_weighted_alike() -> None:
    cells = {"x": list(range(20)), "kind": ["a"] * 15 + ["b"] * 5}
    given: dict[str, Any] = {"table": cells, "columns": {"targets": "kind"}, "split": "stratified"}
    plain = load("table", None, loss="cross_entropy", test=0.2, **given)
    more: dict[str, Any] = {"standardize": True, "class_weights": {"b": 3}}
    data = load("table", None, loss="cross_entropy", test=0.2, **given, **more)
    assert data.test is not None and plain.test is not None and data.test.weights is not None
    assert data.train.mean is not None and data.train.std is not None
    assert torch.allclose(data.test.inputs * data.train.std + data.train.mean, plain.test.inputs)
    assert data.test.weights.tolist() == [1.0 + 2 * target for target in data.test.targets[:, 0].tolist()]
    assert sorted(data.test.targets[:, 0].tolist()) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "stratified", "test": 0.3}, "targets are numbers: data.split=random"),
        ({"split": {"group": "whom"}, "test": 0.3}, r"no column 'whom' for data.split=.*did you mean who"),
        ({"split": {"time": "who"}, "test": 0.3}, "expected a date such as 2024-01-31"),
        ({"split": {"group": "who"}, "test": 0.4, "validation": 0.6}, "hold out all of the 6 samples with"),
        ({"test": 0.5, "validation": 0.5}, "data.validation=0.5 and data.test=0.5 hold out all of the 6"),
    ],
)
def test_what_cant_be_held_out_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("table", LINE, table=POINTS, **fields)


def test_a_row_without_a_group_is_refused_unless_it_is_left_out() -> None:
    cells = {**POINTS, "who": ["b", "", "b", "c", "a", "c"]}
    given: dict[str, Any] = {"test": 0.3, "split": {"group": "who"}}
    with pytest.raises(UserError, match=r"row 2, column who: expected a value for data.split=.*got nothing"):
        load("table", LINE, table=cells, **given)
    data = load("table", LINE, table={**cells, "xy": ["0", "", "4", "6", "8", "10"]}, missing="drop", **given)
    assert data.test is not None and len(data.test) + len(data.train) == 5


@pytest.mark.parametrize("given", ["randm", "group", {"groups": "who"}, {"group": 3}, {}, 3, None, ["last"]])
def test_another_word_is_refused(given: Any) -> None:
    with pytest.raises(UserError, match=r"data.split is random, stratified, last, \{group: COLUMN\}"):
        split_of(DataConfig("table", split=given, test=0.1), load("table", LINE, table=POINTS).train, None)


def test_ground_truth_has_no_column_to_split_by() -> None:
    config = pack_of("data.test=0.1").config
    config.data.split = {"group": "who"}
    with pytest.raises(UserError, match=r"data=ground_truth has none: data.split=random or last"):
        check(config)


def test_the_samples_of_the_validation_part_have_stayed_what_they_were() -> None:
    """Of folders and papers before there was a test part."""
    data = load_data(pack_of("experiment=gaussians", "data.size=20", "data.seed=3")).validation
    assert data is not None and data.rows is not None
    assert data.rows.tolist() == OF_SEED_3


OF_SEED_3 = [3, 2, 7, 14]
