"""Runs the PTX that Triton compiles without a GPU, thread by thread, and notices races and stray accesses."""
