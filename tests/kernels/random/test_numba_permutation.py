"""The permutations in Numba: the integers of the reference."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from packtrain.kernels.random import Purpose, epoch_keys, permutation
from packtrain.kernels.random.numba_permutation import lay, samples
from tests.strategies import few


@few
@given(
    size=st.integers(1, 70) | st.sampled_from([1024, 4097, 65536, 70000]),
    start=st.integers(0, 1 << 20),
    count=st.integers(1, 3000),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_stretch_of_a_stream(size: int, start: int, count: int, seed: int) -> None:
    key = torch.tensor(seed)
    expected = permutation(key, Purpose.ORDER, torch.arange(start, start + count), size)
    keys = epoch_keys(key, Purpose.ORDER, start // size, (start + count - 1) // size + 1)
    index = np.empty(count, np.int64)
    samples(keys.numpy(), start // size, size, start, index)
    assert np.array_equal(index, expected.numpy())


@few
@given(sizes=st.lists(st.integers(1, 40) | st.just(3000), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_places_in_a_window_lie_in_its_segments(sizes: list[int], seed: int) -> None:
    inside, size = np.cumsum([0, *sizes[:-1]]), sum(sizes)
    drawn = np.random.default_rng(seed)
    rows, places = drawn.integers(0, 1 << 40, len(sizes)), drawn.permutation(size)[:1024]
    segment = np.searchsorted(inside, places, side="right") - 1
    expected = rows[segment] + places - inside[segment]
    lay(inside, rows, size, places)
    assert np.array_equal(places, expected)
