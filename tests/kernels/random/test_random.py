import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.random import Purpose, normal, permutation, uniform
from packtrain.kernels.random.reference import philox, words
from tests.strategies import few, many

WORD = 2**32 - 1
SEED = torch.tensor(7)
SEEDS = torch.tensor([0, 1, 2**40 + 3])


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox-4x32-10 as Salmon et al. write it down, in Python's integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


def plain_words(seed: int, purpose: int, step: int, position: int) -> list[int]:
    counter = [position & WORD, position >> 32, step & WORD, (step >> 32) ^ (purpose << 24)]
    return plain_philox(counter, [seed & WORD, seed >> 32])


def plain_order(seed: int, purpose: int, epoch: int, size: int) -> list[int]:
    """One epoch's order: an eight-round Feistel network, walked until it lands inside."""
    keys = plain_words(seed, purpose, epoch, 0)
    bits = max(5, math.ceil(math.log2(size)) if size > 1 else 0)  # narrower ones don't reach all orders alike

    def mixed(half: int, turn: int) -> int:
        word = half ^ ((keys[turn % 4] + turn * 0x9E3779B9) % 2**32)
        word = (word ^ (word >> 16)) * 0x85EBCA6B % 2**32
        return (word ^ (word >> 13)) * 0xC2B2AE35 % 2**32

    def encrypted(index: int) -> int:
        low_bits = bits - bits // 2
        high, low = divmod(index, 2**low_bits)
        for turn in range(8):
            width = (bits // 2, low_bits)[turn % 2]
            high, low = low, high ^ (mixed(low, turn) >> (32 - width))
        return high * 2**low_bits + low

    order = []
    for index in map(encrypted, range(size)):
        while index >= size:
            index = encrypted(index)
        order.append(index)
    return order


def as_tensors(numbers: list[int]) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(number) for number in numbers)


def philox_of(counter: list[int], key: list[int]) -> list[int]:
    c0, c1, c2, c3 = as_tensors(counter)
    k0, k1 = as_tensors(key)
    return [int(word) for word in philox((c0, c1, c2, c3), (k0, k1))]


def order_of(seed: Tensor, epoch: int, size: int, purpose: Purpose = Purpose.ORDER) -> Tensor:
    return permutation(seed, purpose, torch.arange(epoch * size, (epoch + 1) * size), size)


def chi_square(counts: Tensor) -> float:
    """How many standard deviations the statistic of equally likely bins lies from its mean."""
    expected = counts.sum() / len(counts)
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float((statistic - (len(counts) - 1)) / math.sqrt(2 * (len(counts) - 1)))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_published_known_answers(counter: str, key: str, expected: str) -> None:
    numbers = [[int(word, 16) for word in text.split()] for text in (counter, key, expected)]
    assert philox_of(numbers[0], numbers[1]) == numbers[2]
    assert plain_philox(numbers[0], numbers[1]) == numbers[2]


a_word = st.integers(0, WORD)


@many
@given(st.lists(a_word, min_size=4, max_size=4), st.lists(a_word, min_size=2, max_size=2))
def test_philox_is_the_plain_one(counter: list[int], key: list[int]) -> None:
    assert philox_of(counter, key) == plain_philox(counter, key)


@many
@given(st.integers(0, 2**63 - 1), st.sampled_from(Purpose), st.integers(0, 2**55), st.integers(0, 2**63 - 1))
def test_words_are_the_plain_ones(seed: int, purpose: Purpose, step: int, position: int) -> None:
    result = words(torch.tensor(seed), purpose, torch.tensor(step), torch.tensor(position))
    assert [int(word) for word in result] == plain_words(seed, purpose, step, position)


def test_words_broadcast_seed_step_and_position() -> None:
    result = words(SEEDS[:, None, None], Purpose.NOISE, torch.arange(4)[:, None], torch.arange(5))
    assert [word.shape for word in result] == [(3, 4, 5)] * 4
    assert [int(word[2, 3, 1]) for word in result] == plain_words(2**40 + 3, Purpose.NOISE, 3, 1)


def test_uniform_numbers_are_the_words_in_order() -> None:
    plain = [word for block in range(2) for word in plain_words(7, Purpose.DATA, 0, block)]
    expected = [(word >> 8) / 2**24 for word in plain]
    assert uniform(SEED, Purpose.DATA, 0, 8, torch.float64).tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_numbers_lie_in_0_to_1_and_1_is_left_out(dtype: torch.dtype) -> None:
    drawn = uniform(SEEDS, Purpose.INITIAL, 0, 20_000, dtype)
    assert drawn.dtype == dtype and drawn.shape == (3, 20_000)
    assert drawn.min() >= 0 and drawn.max() < 1
    assert (1 - 2.0**-24) == torch.tensor(WORD >> 8).to(dtype).item() * 2.0**-24 < 1


def test_float32_and_float64_hold_the_same_numbers() -> None:
    single, double = (
        uniform(SEEDS, Purpose.DATA, 0, 1000, dtype) for dtype in (torch.float32, torch.float64)
    )
    assert single.double().equal(double)


@few
@given(st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_any_slice_of_the_numbers_can_be_computed_alone(start: int, length: int, normals: bool) -> None:
    draw = normal if normals else uniform
    whole = draw(SEEDS, Purpose.NOISE, 0, 80, torch.float64)
    part = draw(SEEDS, Purpose.NOISE, start, start + length, torch.float64)
    assert part.shape == (3, length)
    assert torch.equal(part, whole[:, start : start + length])


def test_far_positions_can_be_computed_alone() -> None:
    far = 2**40
    part = uniform(SEED, Purpose.DATA, far + 1, far + 3, torch.float64)
    plain = plain_words(7, Purpose.DATA, 0, far // 4)
    assert part.tolist() == [(word >> 8) / 2**24 for word in plain[1:3]]


def test_a_seeds_numbers_do_not_depend_on_the_other_seeds() -> None:
    together = uniform(SEEDS, Purpose.DATA, 0, 10, torch.float64)
    for seed, row in zip(SEEDS, together, strict=True):
        assert uniform(seed, Purpose.DATA, 0, 10, torch.float64).equal(row)


def test_seeds_and_purposes_have_streams_of_their_own() -> None:
    streams = [
        tuple(uniform(torch.tensor(seed), purpose, 0, 4, torch.float64).tolist())
        for seed in (0, 1, 2**32, 2**62)
        for purpose in Purpose
    ]
    assert len(set(streams)) == len(streams)


def test_uniform_numbers_fill_their_range_evenly() -> None:
    drawn = uniform(SEED, Purpose.DATA, 0, 100_000, torch.float64)
    assert abs(chi_square(torch.histc(drawn, 256, 0, 1))) < 4


def test_neighbouring_numbers_are_independent() -> None:
    left, right = uniform(SEED, Purpose.DATA, 0, 100_000, torch.float64).view(-1, 2).mul(16).long().unbind(1)
    assert abs(chi_square(torch.bincount(16 * left + right, minlength=256))) < 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_numbers_have_the_moments_of_their_distribution(dtype: torch.dtype) -> None:
    drawn = normal(SEED, Purpose.INITIAL, 0, 100_000, dtype)
    assert drawn.dtype == dtype and drawn.isfinite().all()
    for power, moment, deviation in (
        (1, 0, 1),
        (2, 1, math.sqrt(2)),
        (3, 0, math.sqrt(15)),
        (4, 3, math.sqrt(96)),
    ):
        error = drawn.double().pow(power).mean() - moment
        assert abs(error) < 4 * deviation / math.sqrt(len(drawn))


def test_normal_numbers_have_the_quantiles_of_their_distribution() -> None:
    drawn = normal(SEED, Purpose.INITIAL, 0, 100_000, torch.float64)
    share = torch.special.ndtr(drawn)
    assert abs(chi_square(torch.histc(share, 100, 0, 1))) < 4


def test_each_epoch_of_any_size_is_a_permutation() -> None:
    for size in range(1, 301):
        orders = permutation(SEEDS, Purpose.ORDER, torch.arange(2 * size), size).view(3, 2, size)
        assert orders.sort(-1).values.equal(torch.arange(size).expand(3, 2, size)), size


@pytest.mark.parametrize("size", [2**12, 2**16 - 1, 2**16 + 1, 100_003, 1_000_000])
def test_large_epochs_are_permutations(size: int) -> None:
    order = order_of(SEED, 3, size)
    assert order.dtype == torch.int64
    assert order.sort().values.equal(torch.arange(size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 31, 32, 33, 64, 100, 129])
@pytest.mark.parametrize("epoch", [0, 1, 2**33])
def test_orders_are_the_plain_ones(size: int, epoch: int) -> None:
    for seed in SEEDS:
        assert order_of(seed, epoch, size).tolist() == plain_order(int(seed), Purpose.ORDER, epoch, size)


def test_seeds_epochs_and_purposes_have_orders_of_their_own() -> None:
    orders = [
        tuple(order_of(torch.tensor(seed), epoch, 50, purpose).tolist())
        for seed in (0, 1, 2**32)
        for epoch in range(3)
        for purpose in Purpose
    ]
    assert len(set(orders)) == len(orders)


@few
@given(st.integers(1, 60), st.lists(st.integers(0, 199), min_size=1, max_size=9))
def test_any_places_of_the_stream_can_be_computed_alone(size: int, places: list[int]) -> None:
    whole = permutation(SEEDS, Purpose.ORDER, torch.arange(200), size)
    part = permutation(SEEDS, Purpose.ORDER, torch.tensor(places), size)
    assert part.equal(whole[:, places])


def test_places_may_have_any_shape() -> None:
    stream = torch.arange(60)
    whole = permutation(SEEDS, Purpose.ORDER, stream, 25)
    assert permutation(SEEDS, Purpose.ORDER, stream.view(3, 4, 5), 25).equal(whole.view(3, 3, 4, 5))
    assert permutation(SEEDS[1], Purpose.ORDER, stream, 25).equal(whole[1])
    assert permutation(SEEDS[1], Purpose.ORDER, stream[30], 25).equal(whole[1, 30])
    assert permutation(SEEDS.view(3, 1), Purpose.ORDER, stream, 25).equal(whole[:, None])


def test_an_orders_stream_is_left_as_it_was() -> None:
    stream = torch.arange(100)
    permutation(SEEDS, Purpose.ORDER, stream, 33)
    assert stream.equal(torch.arange(100))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_all_orders_of_a_small_epoch_are_equally_likely(size: int) -> None:
    epochs = 4_800
    orders = permutation(SEED, Purpose.ORDER, torch.arange(epochs * size), size).view(epochs, size)
    counts = Counter(map(tuple, orders.tolist()))
    every = [counts[order] for order in itertools.permutations(range(size))]
    assert abs(chi_square(torch.tensor(every))) < 4


def test_every_sample_is_equally_likely_at_every_place() -> None:
    epochs, size = 2_000, 40
    orders = permutation(SEED, Purpose.ORDER, torch.arange(epochs * size), size).view(epochs, size)
    for place in (0, 1, 20, 39):
        assert abs(chi_square(torch.bincount(orders[:, place], minlength=size))) < 4


@pytest.mark.parametrize("counts", [[1100, 900, 1000, 1000], [2000, 2000, 2000, 0]])
def test_a_lopsided_count_is_rejected(counts: list[int]) -> None:
    assert abs(chi_square(torch.tensor(counts))) > 4
