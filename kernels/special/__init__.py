"""Special functions over abstract numbers: one algorithm for tensors, vectors of machine code and text.

A number is whatever has arithmetic operators, and comparisons that make masks; `m` holds the functions of
such numbers. Nothing branches on a value.
"""
