"""The order of minibatches."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.trainer.data.order import Order
from tests.strategies import few

CPU = torch.device("cpu")
SIZES = st.integers(1, 40)
SEEDS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4)


def order(size: int, batch: int, seeds: list[int] | int | None = 0) -> Order:
    return Order(size, min(batch, size), None if seeds is None else torch.tensor(seeds), CPU)


@few
@given(size=SIZES, batch=SIZES, seeds=SEEDS)
def test_every_epoch_of_every_run_is_a_permutation(size: int, batch: int, seeds: list[int]) -> None:
    made = order(size, batch, seeds)
    stream = made.indices(0, 3 * size).transpose(0, 1).flatten(1)[:, : 3 * size]
    epochs = stream.reshape(len(seeds), 3, size).sort(-1).values
    assert torch.equal(epochs, torch.arange(size).expand_as(epochs))


@few
@given(size=SIZES, batch=SIZES, start=st.integers(0, 30), count=st.integers(1, 9), seeds=SEEDS | st.none())
def test_a_slice_is_the_slice_of_the_whole_stream(
    size: int, batch: int, start: int, count: int, seeds: list[int] | None
) -> None:
    made = order(size, batch, seeds)
    assert torch.equal(made.indices(start, start + count), made.indices(0, start + count)[start:])


@few
@given(size=SIZES, batch=SIZES, seeds=SEEDS)
def test_a_runs_own_order_is_the_shared_order_of_its_seed(size: int, batch: int, seeds: list[int]) -> None:
    own = order(size, batch, seeds).indices(0, 5)
    for run, seed in enumerate(seeds):
        assert torch.equal(own[:, run], order(size, batch, seed).indices(0, 5))


def test_a_minibatch_goes_on_into_the_next_epoch() -> None:
    made = order(5, 3).indices(0, 5)
    assert made.shape == (5, 3)
    assert sorted([*made[0].tolist(), *made[1, :2].tolist()]) == [0, 1, 2, 3, 4]
    assert sorted([made[1, 2].item(), *made[2].tolist(), made[3, 0].item()]) == [0, 1, 2, 3, 4]


def test_sequential_takes_the_samples_as_they_stand() -> None:
    assert order(5, 2, None).indices(1, 4).tolist() == [[2, 3], [4, 0], [1, 2]]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = order(100, 100).indices(0, 2)
    assert not torch.equal(first, second)
    assert not torch.equal(first, order(100, 100, 1).indices(0, 1)[0])


def test_a_full_batch_holds_no_indices() -> None:
    assert order(9, 9).whole and order(9, 9, [1, 2]).indices_a_step == 1
    assert not order(9, 8).whole and order(9, 8, [1, 2]).indices_a_step == 16


@few
@given(size=SIZES, batch=SIZES, start=st.integers(0, 30), count=st.integers(1, 9))
def test_the_epochs_of_some_steps_hold_their_places(size: int, batch: int, start: int, count: int) -> None:
    made = order(size, batch)
    places = range(start * made.batch, (start + count) * made.batch)
    assert list(made.epochs(start, start + count)) == sorted({place // size for place in places})
