"""The permutations in Triton: the integers of the reference."""

import pytest
import torch
import triton
import triton.language as tl

from packtrain.kernels.common import launch
from packtrain.kernels.random import Purpose, epoch_keys, permutation
from packtrain.kernels.random.reference import network_bits
from packtrain.kernels.random.triton_permutation import samples


@triton.jit
def samples_kernel(key_ptr, out_ptr, start, count, size, BITS: tl.constexpr, BLOCK: tl.constexpr):
    n = tl.arange(0, BLOCK)
    inside = n < count
    place = tl.where(inside, (start + n).to(tl.int64), 0)
    tl.store(out_ptr + n, samples(place, key_ptr, size, BITS), mask=inside)


@pytest.mark.sampled(3)
@pytest.mark.emulated
@pytest.mark.parametrize("size", [1, 2, 3, 31, 32, 33, 70, 128, 1000, 4097])
def test_a_stretch_that_goes_on_into_the_next_epoch(size: int, device: torch.device) -> None:
    seed, epoch, count = torch.tensor(2**40 + 3, device=device), 5, min(size, 100)
    keys = epoch_keys(seed, Purpose.ORDER, epoch, epoch + 2)
    for start in {0, size // 2, size - 1}:
        result = torch.empty(count, dtype=torch.int64, device=device)
        launch.launch(
            samples_kernel,
            1,
            keys,
            result,
            start,
            count,
            size,
            BITS=network_bits(size),
            BLOCK=128,
            num_warps=1,
        )
        stream = torch.arange(start, start + count, device=device) + epoch * size
        assert result.equal(permutation(seed, Purpose.ORDER, stream, size))
