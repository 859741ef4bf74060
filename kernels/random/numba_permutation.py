"""The permutations of `reference` in Numba: the same integers, a stretch of an epoch at a time."""

import numpy as np
from numba import njit

from .reference import FEISTEL_ROUNDS, LEAST_BITS, MIX, WEYL

CHUNK = 1024  # places whose halves fit in the first-level cache

FIRST, SECOND, STEP = np.uint32(MIX[0]), np.uint32(MIX[1]), np.uint32(WEYL[0])


@njit(error_model="numpy")
def samples(keys, epoch, size, start, index):
    """index[n] = the sample at place start + n of a stream of epochs of `size` samples each.

    keys [E, 4] are those of the epochs from `epoch` on, made by epoch_keys.
    """
    done = 0
    while done < index.size:
        at = start + done
        position = at % size
        count = min(index.size - done, size - position, CHUNK)
        stretch(keys[at // size - epoch], size, position, index[done : done + count])
        done += count


@njit(error_model="numpy")
def stretch(key, size, position, index):
    """Places position, position + 1, ... of one epoch of key [4]."""
    bits = LEAST_BITS
    while size - 1 >> bits > 0:
        bits += 1
    for n in range(index.size):
        index[n] = position + n
    feistel(key, bits, index)
    walk(key, bits, size, index)


@njit(error_model="numpy")
def walk(key, bits, size, index):
    """Applies the network again to what lies outside [0, size), until it lands inside."""
    places, values, count = np.empty(index.size, np.int64), np.empty(index.size, np.int64), 0
    for n in range(index.size):
        if index[n] >= size:
            places[count], values[count] = n, index[n]
            count += 1
    while count > 0:
        feistel(key, bits, values[:count])
        outside = 0
        for i in range(count):
            if values[i] >= size:
                places[outside], values[outside] = places[i], values[i]
                outside += 1
            else:
                index[places[i]] = values[i]
        count = outside


@njit(error_model="numpy")
def feistel(key, bits, index):
    """index[n] = its image under a bijection of [0, 2^bits): the halves take turns at mixing each other."""
    low_bits = bits - bits // 2
    mask = (1 << low_bits) - 1
    high, low = np.empty(index.size, np.uint32), np.empty(index.size, np.uint32)
    for n in range(index.size):
        high[n], low[n] = index[n] >> low_bits, index[n] & mask
    for turn in range(FEISTEL_ROUNDS):
        round_key = np.uint32(key[turn % 4] + turn * STEP)
        shift = np.uint32(32 - (bits // 2 if turn % 2 == 0 else low_bits))
        for n in range(index.size):
            word = low[n] ^ round_key
            word = np.uint32((word ^ (word >> np.uint32(16))) * FIRST)
            word = np.uint32((word ^ (word >> np.uint32(13))) * SECOND)
            high[n], low[n] = low[n], high[n] ^ (word >> shift)
    for n in range(index.size):
        index[n] = (np.int64(high[n]) << low_bits) | low[n]


@njit(error_model="numpy")
def window_samples(starts, sizes, keys, first, inside, rows, place, index):
    """index[n] = where the sample at `place` + n of a stream lies, which is cut into windows.

    See Windows for what comes before `place`.
    """
    window, done = 0, 0
    while starts[window] + sizes[window] <= place:
        window += 1
    while done < index.size:
        position = place + done - starts[window]
        count = min(index.size - done, sizes[window] - position, CHUNK)
        part = index[done : done + count]
        if keys.shape[0] > 0:
            stretch(keys[window], sizes[window], position, part)
        else:
            for n in range(count):
                part[n] = position + n
        segments = slice(first[window], first[window + 1])
        lay(inside[segments], rows[segments], sizes[window], part)
        done += count
        if position + count == sizes[window]:
            window += 1


@njit(error_model="numpy")
def lay(inside, rows, size, index):
    """Places in a window of `size` -> where samples lie: segment s begins at place inside[s], at rows[s].

    A table says of every 2^shift places which segment they begin in: there it is looked for. (A search by
    halves guesses wrong every other time, which takes four times as long.)
    """
    if inside.size == 1:
        for n in range(index.size):
            index[n] += rows[0]
        return
    shift, segment = 0, 0
    while (size - 1) >> shift >= 4 * inside.size:
        shift += 1
    table = np.empty(((size - 1) >> shift) + 1, np.int64)
    for part in range(table.size):
        while segment + 1 < inside.size and inside[segment + 1] <= part << shift:
            segment += 1
        table[part] = segment
    for n in range(index.size):
        segment = table[index[n] >> shift]
        while segment + 1 < inside.size and inside[segment + 1] <= index[n]:
            segment += 1
        index[n] += rows[segment] - inside[segment]
