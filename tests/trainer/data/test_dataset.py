"""The validation part and standardization."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.common.errors import UserError
from packtrain.trainer.data import digest as digests
from packtrain.trainer.data.dataset import Dataset, prepare
from packtrain.trainer.data.digest import digest
from packtrain.trainer.data.split import Split
from tests.helpers import assert_close
from tests.strategies import few


def rows(size: int, columns: int = 2) -> Dataset:
    """Every target is the number of its row."""
    inputs = torch.randn(size, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    names = tuple(f"x{i}" for i in range(columns))
    return Dataset(inputs, torch.arange(float(size))[:, None], names, ("xy",))


@few
@given(size=st.integers(2, 60), fraction=st.floats(0.001, 0.95), seed=st.integers(0, 2**63 - 1))
def test_the_parts_are_disjoint_and_together_all_rows(size: int, fraction: float, seed: int) -> None:
    held = max(1, round(fraction * size))
    if held == size:
        with pytest.raises(UserError, match=r"leave some to train on"):
            prepare(rows(size), Split(seed, fraction), False)
        return
    data = prepare(rows(size), Split(seed, fraction), False)
    assert data.validation is not None and len(data.validation) == held
    together = torch.cat([data.train.targets, data.validation.targets])
    assert sorted(together.flatten().tolist()) == list(range(size))
    whole = rows(size).inputs
    assert torch.equal(whole[data.train.targets[:, 0].long()], data.train.inputs)


def test_the_split_depends_on_the_seed_alone() -> None:
    split = [prepare(rows(50), Split(seed, 0.2), seed == 1).train.targets for seed in (1, 2)]
    assert not torch.equal(*split)
    assert torch.equal(prepare(rows(50, 5), Split(1, 0.2), False).train.targets, split[0])


def test_without_a_fraction_nothing_is_held_out() -> None:
    data = prepare(rows(9), Split(0), False)
    assert data.validation is None and torch.equal(data.train.inputs, rows(9).inputs)


def test_standardization_is_by_the_training_part_alone() -> None:
    data, plain = prepare(rows(50), Split(0, 0.3), True), prepare(rows(50), Split(0, 0.3), False)
    assert data.validation is not None and plain.validation is not None
    assert_close(data.train.inputs.mean(0), torch.zeros(2, dtype=torch.float64))
    assert_close(data.train.inputs.std(0, correction=0), torch.ones(2, dtype=torch.float64))
    mean, std = plain.train.inputs.mean(0), plain.train.inputs.std(0, correction=0)
    assert_close(data.validation.inputs, (plain.validation.inputs - mean) / std)
    assert data.train.mean is not None and data.train.std is not None
    assert_close(data.train.mean, mean)
    assert_close(data.train.std, std)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_a_constant_column_becomes_0(value: float, dtype: torch.dtype) -> None:
    inputs = torch.full((999, 1), value, dtype=dtype)
    found = prepare(Dataset(inputs, inputs, ("x",), ("xy",)), Split(0, 0.1), True).train
    assert_close(found.inputs / max(abs(value), 1), torch.zeros_like(found.inputs))


@pytest.mark.parametrize(("size", "fraction"), [(1, 0.01), (10, 0.96), (3, 0.9)])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(size: int, fraction: float) -> None:
    with pytest.raises(UserError, match=rf"data.validation={fraction} holds out all of the {size} samples"):
        prepare(rows(size), Split(0, fraction), False)


def test_class_indices_keep_their_dtype() -> None:
    data = Dataset(torch.ones(2, 1), torch.tensor([[0], [1]]), ("x",), ("a", "b"))
    moved = data.standardized(torch.ones(1), torch.ones(1)).to(torch.device("cpu"), torch.float64)
    assert moved.inputs.dtype == torch.float64 and moved.targets.dtype == torch.int64


def test_what_inputs_were_standardized_with_keeps_its_digits() -> None:
    whole = Dataset(torch.tensor([[1.0], [2.0]]).double(), torch.zeros(2, 1), ("x",), ("y",))
    moved = prepare(whole, Split(0), True).to(torch.device("cpu"), torch.float32).train
    assert moved.mean is not None and moved.mean.dtype == torch.float64


def test_weights_go_with_their_samples() -> None:
    values = torch.arange(20, dtype=torch.float64)
    whole = Dataset(values[:, None], values[:, None], ("x",), ("xy",), weights=values)
    data = prepare(whole, Split(3, 0.3), True).to(torch.device("cpu"), torch.float32)
    assert data.validation is not None and len(data.validation) == 6
    for part in (data.train, data.validation):
        assert part.weights is not None and part.weights.dtype == torch.float64
        assert torch.equal(part.weights, part.targets[:, 0].double())


def test_the_digest_is_of_all_that_a_training_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Dataset(
        torch.rand(30, 2), torch.rand(30, 1), ("xa", "xb"), ("xy",), weights=torch.rand(30).double()
    )
    data = prepare(whole, Split(0, 0.2, 0.2), False)
    found = digest(data)
    assert found == digest(prepare(whole, Split(0, 0.2, 0.2), False)) and len(found) == 32
    assert found == digest(replace(data, notes=("said",)))
    seen = {found}
    for part in ("train", "validation", "test"):
        for name in ("inputs", "targets", "weights"):
            changed = getattr(getattr(data, part), name).clone()
            changed.view(-1)[-1] += 1e-6
            seen.add(digest(replace(data, **{part: replace(getattr(data, part), **{name: changed})})))
    seen.add(digest(replace(data, train=replace(data.train, input_names=("xb", "xa")))))
    seen.add(digest(replace(data, validation=None)))
    seen.add(digest(replace(data, train=replace(data.train, mean=torch.zeros(2)))))
    seen.add(digest(replace(data, test=None)))
    assert len(seen) == 14
    monkeypatch.setattr(digests, "ROWS", 7)
    order = digest(data)
    swapped = replace(data.train, inputs=data.train.inputs.flip(0))
    assert digest(replace(data, train=swapped)) != order
    constants = replace(whole, inputs=torch.empty(30, 0), input_names=())
    assert digest(prepare(constants, Split(0), False)) != order
