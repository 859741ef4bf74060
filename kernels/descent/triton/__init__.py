"""Whole trainings compiled by Triton, for CUDA."""
