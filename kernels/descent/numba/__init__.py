"""Whole trainings compiled by Numba, for the CPU."""
