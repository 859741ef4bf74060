"""Runs the PTX that Triton compiles, without a GPU, and notices races and stray accesses: see README.md."""
