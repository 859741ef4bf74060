"""The random words of `reference` in Numba: the same integers, one at a time."""

import numpy as np
from numba import njit

from .reference import MULTIPLIERS, ROUNDS, WEYL, WORD

LEFT, RIGHT = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
FIRST_STEP, SECOND_STEP = np.uint64(WEYL[0]), np.uint64(WEYL[1])
LOW, HALF = np.uint64(WORD), np.uint64(32)


@njit(error_model="numpy")
def pair_keys(seed, purpose, step, keys):
    """keys [S, 2] = the keys of pair_words, of the streams 0 to S - 1: seed and step are integers."""
    for stream in range(keys.shape[0]):
        c0, c1 = np.uint64(stream), np.uint64(0)
        c2, c3 = np.uint64(step) & LOW, (np.uint64(step) >> HALF) ^ (np.uint64(purpose) << np.uint64(24))
        k0, k1 = np.uint64(seed) & LOW, np.uint64(seed) >> HALF
        for _ in range(ROUNDS):
            left, right = c0 * LEFT, c2 * RIGHT
            c0, c1, c2, c3 = (right >> HALF) ^ c1 ^ k0, right & LOW, (left >> HALF) ^ c3 ^ k1, left & LOW
            k0, k1 = (k0 + FIRST_STEP) & LOW, (k1 + SECOND_STEP) & LOW
        keys[stream, 0], keys[stream, 1] = c0, c1
