"""Stateless random numbers and permutations: functions of (seed, purpose, step, position)."""

from .reference import (
    Purpose,
    epoch_keys,
    latin_hypercube,
    normal,
    pair_keys,
    pair_words,
    permutation,
    uniform,
)

__all__ = [
    "Purpose",
    "epoch_keys",
    "latin_hypercube",
    "normal",
    "pair_keys",
    "pair_words",
    "permutation",
    "uniform",
]
