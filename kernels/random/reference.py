"""Stateless randomness: integers that are a function of (seed, purpose, step, position) alone.

The generator is Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). Its
32-bit words are int64 here, since torch has little arithmetic of unsigned integers.
"""

import math
from enum import IntEnum

import torch
from torch import Tensor

WORD = 0xFFFFFFFF
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10

FEISTEL_ROUNDS = 8
LEAST_BITS = 5  # smaller networks don't make all orders equally often
MIX = 0x85EBCA6B, 0xC2B2AE35  # the multipliers of MurmurHash3's finalizer


class Purpose(IntEnum):
    """What a number is drawn for: each purpose has its own stream."""

    INITIAL = 0
    ORDER = 1
    DATA = 2
    NOISE = 3
    SPLIT = 4
    STARTS = 5
    STRATA = 6
    DROPOUT = 7
    BLOCKS = 8
    WINDOWS = 9


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Philox-4x32-10: four counter words and two key words, each int64 below 2^32 -> four words.

    >>> import torch
    >>> from packtrain.kernels.random.reference import philox
    >>> zero = torch.zeros((), dtype=torch.int64)
    >>> [hex(word) for word in philox((zero, zero, zero, zero), (zero, zero))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]  # all 64 bits, as if unsigned
        c0, c1, c2, c3 = (
            ((right >> 32) & WORD) ^ c1 ^ k0,
            right & WORD,
            ((left >> 32) & WORD) ^ c3 ^ k1,
            left & WORD,
        )
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return c0, c1, c2, c3


def words(seed: Tensor, purpose: Purpose, step: Tensor, position: Tensor) -> tuple[Tensor, ...]:
    """Four random words in [0, 2^32) for each (seed, step, position), broadcast: int64, none negative.

    >>> import torch
    >>> from packtrain.kernels.random.reference import Purpose, words
    >>> [word.item() >> 24 for word in words(torch.tensor(1), Purpose.DATA, torch.tensor(0), torch.tensor(0))]
    [12, 133, 102, 145]
    """
    seed, step, position = torch.broadcast_tensors(seed, step, position)
    stream = torch.full_like(step, int(purpose))
    counter = position & WORD, position >> 32, step & WORD, (step >> 32) ^ (stream << 24)
    return philox(counter, (seed & WORD, seed >> 32))


def uniform(seed: Tensor, purpose: Purpose, start: int, stop: int, dtype: torch.dtype) -> Tensor:
    """U[0, 1) at positions start..stop-1 of each seed's stream: seed [...] -> [..., stop - start].

    Multiples of 2^-24, so that float32 and float64 hold the same numbers.

    >>> import torch
    >>> from packtrain.kernels.random import Purpose, uniform
    >>> uniform(torch.tensor([0, 1]), Purpose.DATA, 0, 2, torch.float32).tolist()
    [[0.4720029830932617, 0.3425612449645996], [0.04726862907409668, 0.5197890996932983]]
    """
    position = torch.arange(start // 4, -(-stop // 4), device=seed.device)
    four = words(seed[..., None], purpose, torch.zeros_like(position), position)
    drawn = torch.stack(four, -1).flatten(-2)[..., start % 4 :][..., : stop - start]
    return (drawn >> 8).to(dtype) * 2.0**-24


def normal(seed: Tensor, purpose: Purpose, start: int, stop: int, dtype: torch.dtype) -> Tensor:
    """N(0, 1) at positions start..stop-1 of each seed's stream: seed [...] -> [..., stop - start].

    Each is Box and Muller's transform of two uniform numbers.

    >>> import torch
    >>> from packtrain.kernels.random import Purpose, normal
    >>> [round(x, 3) for x in normal(torch.tensor(0), Purpose.NOISE, 0, 3, torch.float64).tolist()]
    [-1.151, -1.756, 1.031]
    """
    pairs = uniform(seed, purpose, 2 * start, 2 * stop, dtype).unflatten(-1, (-1, 2))
    radius = (-2 * torch.log1p(-pairs[..., 0])).sqrt()
    return radius * torch.cos(2 * math.pi * pairs[..., 1])


def latin_hypercube(seed: Tensor, size: int, dimensions: int) -> Tensor:
    """`size` points of [0, 1)^K, K = `dimensions`, spread evenly along each dimension: seed [] -> [size, K].

    Each dimension is cut into `size` equal strata. Each stratum holds one point, at a random place; which
    one is a permutation, another for each dimension. McKay, Beckman and Conover (1979).

    >>> import torch
    >>> from packtrain.kernels.random import latin_hypercube
    >>> (latin_hypercube(torch.tensor(0), 4, 2) * 4).long().sort(0).values.T.tolist()
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    places = torch.arange(size * dimensions, device=seed.device)
    stratum = permutation(seed, Purpose.STRATA, places, size).view(dimensions, size).T
    inside = uniform(seed, Purpose.STARTS, 0, size * dimensions, torch.float64).view(size, dimensions)
    return (stratum + inside) / size


def pair_keys(seed: Tensor, purpose: Purpose, step: Tensor, streams: int) -> Tensor:
    """The two keys of pair_words, of each of so many streams: seed [...] and step [...] -> [..., streams, 2].

    >>> import torch
    >>> from packtrain.kernels.random import Purpose, pair_keys
    >>> pair_keys(torch.tensor([1, 2, 3]), Purpose.DROPOUT, torch.tensor(0), 4).shape
    torch.Size([3, 4, 2])
    """
    stream = torch.arange(streams, device=seed.device)
    return torch.stack(words(seed[..., None], purpose, step[..., None], stream)[:2], -1)


def pair_words(keys: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """A random word in [0, 2^32) for each pair of numbers below 2^32: keys [..., 2], [N], [O] -> [..., N, O].

    It is mix(mix(n ^ k0) + mix(o ^ k1)): of what is done for each pair, most is done once for each number.

    >>> import torch
    >>> from packtrain.kernels.random import Purpose, pair_keys, pair_words
    >>> keys = pair_keys(torch.tensor(1), Purpose.DROPOUT, torch.tensor(0), 1)[0]
    >>> (pair_words(keys, torch.arange(2), torch.arange(3)) >> 24).tolist()
    [[84, 223, 83], [242, 34, 124]]
    """
    rows, columns = _mix(first ^ keys[..., :1]), _mix(second ^ keys[..., 1:])
    return _mix((rows[..., :, None] + columns[..., None, :]) & WORD)


def permutation(seed: Tensor, purpose: Purpose, stream: Tensor, size: int) -> Tensor:
    """The samples at places `stream` [...] of an endless sequence of epochs -> [*seed.shape, ...].

    Each epoch is an order of [0, size) of its own, with keys from (seed, purpose, epoch). It is never stored:
    a Feistel network permutes a power of two, and is applied again to what lands outside (cycle walking).

    >>> import torch
    >>> from packtrain.kernels.random import Purpose, permutation
    >>> permutation(torch.tensor(0), Purpose.ORDER, torch.arange(10), 5).view(2, 5).tolist()
    [[3, 1, 2, 4, 0], [0, 1, 4, 3, 2]]
    """
    epoch, position = stream // size, stream % size
    first, last = int(epoch.min()), int(epoch.max())
    keys = epoch_keys(seed, purpose, first, last + 1).reshape(-1, 4).T
    rows = torch.arange(seed.numel(), device=stream.device).view((*seed.shape, *[1] * stream.dim()))
    row = rows * (last + 1 - first) + (epoch - first)
    bits = network_bits(size)
    index = _feistel(position.expand_as(row), keys, row, bits)
    while (outside := index >= size).any():
        index[outside] = _feistel(index[outside], keys, row[outside], bits)
    return index


def epoch_keys(seed: Tensor, purpose: Purpose, first: int, stop: int) -> Tensor:
    """The keys of the orders of epochs first..stop-1: seed [...] -> words [..., stop - first, 4].

    >>> import torch
    >>> from packtrain.kernels.random import Purpose, epoch_keys
    >>> list(epoch_keys(torch.tensor([0, 1, 2]), Purpose.ORDER, 0, 5).shape)
    [3, 5, 4]
    """
    span = torch.arange(first, stop, device=seed.device)
    return torch.stack(words(seed[..., None], purpose, span, torch.zeros_like(span)), -1)


def network_bits(size: int) -> int:
    """The bits of the Feistel network that permutes [0, size).

    >>> from packtrain.kernels.random.reference import network_bits
    >>> network_bits(1000)
    10
    """
    return max(LEAST_BITS, (size - 1).bit_length())


def _feistel(index: Tensor, keys: Tensor, row: Tensor, bits: int) -> Tensor:
    """A bijection of [0, 2^bits) keyed by keys[:, row]: the halves take turns at mixing each other."""
    widths = bits // 2, bits - bits // 2
    high, low = index >> widths[1], index & ((1 << widths[1]) - 1)
    for turn in range(FEISTEL_ROUNDS):
        key = (keys[turn % 4] + turn * WEYL[0]) & WORD
        mixed = _mix(low ^ key[row])
        high, low = low, high ^ (mixed >> (32 - widths[turn % 2]))
    return (high << widths[1]) | low


def _mix(word: Tensor) -> Tensor:
    word = ((word ^ (word >> 16)) * MIX[0]) & WORD
    return ((word ^ (word >> 13)) * MIX[1]) & WORD
