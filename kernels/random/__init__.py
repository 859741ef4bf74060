"""Stateless random numbers and permutations."""

from kernels.random.reference import Purpose, normal, permutation, uniform

__all__ = ["Purpose", "normal", "permutation", "uniform"]
