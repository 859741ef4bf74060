"""The machine code of an MLP's loss and gradient."""

from collections.abc import Sequence
from functools import cache

import torch

from ...common.llvm import compiled
from ...layers.source import layers_source
from .descent import Sums

KINDS = {torch.float64: "double", torch.float32: "float"}


def layers_sums(widths: Sequence[int], bias: bool, loss: str, dtype: torch.dtype) -> Sums:
    """The sums of an MLP with parameters of `dtype`: weight_0 [O, I], bias_0 [O], weight_1, ...

    >>> import torch
    >>> from packtrain.kernels.descent.numba.layers import layers_sums
    >>> layers_sums([2, 8, 1], bias=True, loss="mse", dtype=torch.float32).block
    1024
    """
    return _compiled(tuple(widths), bias, loss, KINDS[dtype])


@cache
def _compiled(widths: tuple[int, ...], bias: bool, loss: str, kind: str) -> Sums:
    source = layers_source(widths, bias, loss, kind)
    return Sums(compiled(source.text, "sums"), source.block, source.room)
