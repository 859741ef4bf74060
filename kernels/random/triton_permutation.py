"""The permutations of `reference` in Triton: the same integers, for a block of places at a time."""

# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false
# (Triton's types are those of its own Python front end)

import triton
import triton.language as tl

from .reference import FEISTEL_ROUNDS, MIX, WEYL

ROUNDS, STEP = tl.constexpr(FEISTEL_ROUNDS), tl.constexpr(WEYL[0])
FIRST, SECOND = tl.constexpr(MIX[0]), tl.constexpr(MIX[1])


@triton.jit
def samples(place, key_ptr, size, BITS: tl.constexpr):
    """The samples at places [BLOCK] from 0 to 2 size - 1, counted from the beginning of an epoch.

    key_ptr [2, 4] are the keys of that epoch and the next, made by epoch_keys. BITS is network_bits(size).
    """
    later = place >= size
    key = key_ptr + tl.where(later, 4, 0)
    keys = _word(key), _word(key + 1), _word(key + 2), _word(key + 3)
    index = _feistel(tl.where(later, place - size, place), keys, BITS)
    outside = index >= size
    while tl.max(outside.to(tl.int32), 0) > 0:
        index = tl.where(outside, _feistel(index, keys, BITS), index)
        outside = index >= size
    return index


@triton.jit
def _word(ptr):
    return tl.load(ptr).to(tl.uint32)


@triton.jit
def _feistel(index, keys, BITS: tl.constexpr):
    """A bijection of [0, 2^BITS): the halves take turns at mixing each other."""
    LOW: tl.constexpr = BITS - BITS // 2
    high, low = (index >> LOW).to(tl.uint32), (index & ((1 << LOW) - 1)).to(tl.uint32)
    for turn in tl.static_range(ROUNDS):
        width = BITS // 2 if turn % 2 == 0 else LOW
        mixed = _mix(low ^ (keys[turn % 4] + (turn * STEP) % 2**32))
        high, low = low, high ^ (mixed >> (32 - width))
    return (high.to(tl.int64) << LOW) | low.to(tl.int64)


@triton.jit
def _mix(word):
    word = (word ^ (word >> 16)) * FIRST
    return (word ^ (word >> 13)) * SECOND
