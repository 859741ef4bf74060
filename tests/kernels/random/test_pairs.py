"""The words of pairs: the integers in every language, and whether masks of them look random."""

import math

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packtrain.kernels.common import launch
from packtrain.kernels.random import Purpose, numba_words, pair_keys, pair_words, reference
from packtrain.kernels.random.triton_words import mixed
from packtrain.kernels.random.triton_words import pair_keys as triton_keys
from tests.strategies import few

WORD = 2**32 - 1
SEED, STEP = 2**62 + 12345, 2**40 + 7
DROPOUT = int(Purpose.DROPOUT)


def plain_mix(word: int) -> int:
    word = (word ^ (word >> 16)) * 0x85EBCA6B & WORD
    return (word ^ (word >> 13)) * 0xC2B2AE35 & WORD


def keys_of(seed: int, step: int, streams: int) -> Tensor:
    return pair_keys(torch.tensor(seed), Purpose.DROPOUT, torch.tensor(step), streams)


@few
@given(st.tuples(*[st.integers(0, WORD)] * 4))
def test_words_are_the_plain_ones(numbers: tuple[int, ...]) -> None:
    k0, k1, n, o = numbers
    expected = plain_mix((plain_mix(n ^ k0) + plain_mix(o ^ k1)) & WORD)
    found = pair_words(torch.tensor([k0, k1]), torch.tensor([n]), torch.tensor([o]))
    assert found.tolist() == [[expected]]


def test_each_step_and_stream_has_the_keys_that_it_has_alone() -> None:
    seeds, steps = torch.tensor([3, SEED]), torch.tensor([0, 1, STEP])
    together = pair_keys(seeds, Purpose.DROPOUT, steps[:, None], 4)
    assert together.shape == (3, 2, 4, 2)
    assert together[2, 1].equal(keys_of(SEED, STEP, 4))
    assert len({tuple(key) for key in together.flatten(0, 2).tolist()}) == 24


@few
@given(seed=st.integers(0, 2**63 - 1), step=st.integers(0, 2**55), streams=st.integers(0, 5))
def test_numbas_keys_are_the_references(seed: int, step: int, streams: int) -> None:
    keys = np.empty((streams, 2), np.int64)
    numba_words.pair_keys(seed, DROPOUT, step, keys)
    assert keys.tolist() == keys_of(seed, step, streams).tolist()


@triton.jit
def keys_kernel(seed_ptr, step, out_ptr, PURPOSE: tl.constexpr, STREAMS: tl.constexpr):
    for stream in range(STREAMS):
        k0, k1 = triton_keys(tl.load(seed_ptr), PURPOSE, step, stream)  # pyright: ignore[reportGeneralTypeIssues]
        tl.store(out_ptr + 2 * stream, k0.to(tl.int64))
        tl.store(out_ptr + 2 * stream + 1, k1.to(tl.int64))


@triton.jit
def words_kernel(key_ptr, out_ptr, first, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n, o = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    rows = mixed((first + n).to(tl.uint32) ^ tl.load(key_ptr).to(tl.uint32))
    columns = mixed(o.to(tl.uint32) ^ tl.load(key_ptr + 1).to(tl.uint32))
    words = mixed(rows[:, None] + columns[None, :])
    tl.store(out_ptr + n[:, None] * COLUMNS + o[None, :], words.to(tl.int64))


@pytest.mark.emulated
def test_tritons_keys_and_words_are_the_references(device: torch.device) -> None:
    for seed, step in ((0, 0), (SEED, STEP), (2**63 - 1, 5)):
        keys = torch.empty(3, 2, dtype=torch.int64, device=device)
        launch.launch(
            keys_kernel, 1, torch.tensor([seed], device=device), step, keys, PURPOSE=DROPOUT, STREAMS=3,
            num_warps=1,
        )  # fmt: skip
        assert keys.cpu().equal(keys_of(seed, step, 3))
        words, first = torch.empty(16, 32, dtype=torch.int64, device=device), 1000
        launch.launch(words_kernel, 1, keys[1].contiguous(), words, first, ROWS=16, COLUMNS=32, num_warps=1)
        assert words.cpu().equal(pair_words(keys[1].cpu(), first + torch.arange(16), torch.arange(32)))


def masks(rate: float) -> Tensor:
    """+-1-like numbers of mean 0 and variance 1: seeds, steps, layers, samples, features."""
    seeds, steps = torch.arange(8), torch.arange(12)
    keys = pair_keys(seeds[:, None], Purpose.DROPOUT, steps, 3)
    words = pair_words(keys, torch.arange(32), torch.arange(32))
    kept = ((words >> 8).double() * 2.0**-24 >= rate).double()
    return (kept - (1 - rate)) / math.sqrt(rate * (1 - rate))


def check_quality(rate: float) -> None:
    """Means, correlations along each axis, and of the corners of rectangles, within what chance allows."""
    mask = masks(rate)
    assert abs(mask.sum()) < 4 * math.sqrt(mask.numel())
    for axis in range(5):
        rows = mask.movedim(axis, 0).flatten(1)
        first, second = torch.triu_indices(len(rows), len(rows), 1)
        scores = (rows @ rows.T)[first, second] / math.sqrt(rows.shape[1])
        assert scores.abs().max() < 5
        assert abs(scores.square().sum() - len(scores)) < 4.5 * math.sqrt(2 * len(scores))
    for apart in (1, 16):
        corners = mask * mask.roll(apart, 3) * mask.roll(apart, 4) * mask.roll((apart, apart), (3, 4))
        assert abs(corners.sum()) < 4 * math.sqrt(corners.numel())
    for axes in ((3,), (4,), (3, 4)):  # as many are kept as independent numbers would have it
        counts = mask.sum(axes).square() / math.prod(mask.shape[axis] for axis in axes)
        assert abs(counts.mean() - 1) < 5 * math.sqrt(2 / counts.numel())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_masks_look_random(rate: float) -> None:
    check_quality(rate)


def test_a_lazier_mixing_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_mix", lambda word: (word * 0x9E3779B1) & WORD)
    with pytest.raises(AssertionError):
        check_quality(0.5)
