"""The random words of `reference` in Triton: the same integers, as uint32."""

# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false
# (Triton's types are those of its own Python front end)

import triton
import triton.language as tl

from .reference import MIX, MULTIPLIERS, ROUNDS, WEYL

LEFT, RIGHT = tl.constexpr(MULTIPLIERS[0]), tl.constexpr(MULTIPLIERS[1])
FIRST_STEP, SECOND_STEP = tl.constexpr(WEYL[0]), tl.constexpr(WEYL[1])
FIRST, SECOND, TURNS = tl.constexpr(MIX[0]), tl.constexpr(MIX[1]), tl.constexpr(ROUNDS)


@triton.jit
def pair_keys(seed, PURPOSE: tl.constexpr, step, stream):
    """The two keys of pair_words, of one stream, whose number is below 2^32."""
    seed, step = seed.to(tl.int64), step.to(tl.int64)
    c0, c1 = tl.zeros((), tl.uint32) + stream, tl.zeros((), tl.uint32)
    c2, c3 = _low(step), _high(step) ^ (PURPOSE << 24)
    k0, k1 = _low(seed), _high(seed)
    for _ in tl.static_range(TURNS):
        left, right = c0.to(tl.uint64) * LEFT, c2.to(tl.uint64) * RIGHT
        c0, c1, c2, c3 = _high(right) ^ c1 ^ k0, _low(right), _high(left) ^ c3 ^ k1, _low(left)
        k0, k1 = _low(k0.to(tl.uint64) + FIRST_STEP), _low(k1.to(tl.uint64) + SECOND_STEP)
    return c0, c1


@triton.jit
def mixed(word):
    """What MurmurHash3's finalizer makes of words, but for its last shift: a pair's word is
    mixed(mixed(n ^ k0) + mixed(o ^ k1))."""
    word = (word ^ (word >> 16)) * FIRST
    return (word ^ (word >> 13)) * SECOND


@triton.jit
def _low(x):
    return x.to(tl.uint32)


@triton.jit
def _high(x):
    return (x >> 32).to(tl.uint32)
