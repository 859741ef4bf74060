"""Stateless random numbers and permutations."""

from kernels.random.reference import Purpose, epoch_keys, latin_hypercube, normal, permutation, uniform

__all__ = ["Purpose", "epoch_keys", "latin_hypercube", "normal", "permutation", "uniform"]
