"""Stateless random numbers and permutations."""

from .reference import Purpose, epoch_keys, latin_hypercube, normal, permutation, uniform

__all__ = ["Purpose", "epoch_keys", "latin_hypercube", "normal", "permutation", "uniform"]
