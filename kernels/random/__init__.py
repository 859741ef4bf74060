"""Stateless random numbers and permutations."""

from kernels.random.reference import Purpose, latin_hypercube, normal, permutation, uniform

__all__ = ["Purpose", "latin_hypercube", "normal", "permutation", "uniform"]
