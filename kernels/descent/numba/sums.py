"""The machine code of a model's loss and gradient, which the loop of a descent calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from ...common.llvm import KEPT, KINDS, MachineCode, compiled
from ...equations.activations import RELU, Activation
from ...equations.losses import Loss
from ...expression import llvm_source, numba_kernel
from ...language.graph import Graph
from ...layers.source import layers_source


@dataclass(frozen=True)
class Sums:
    """sums(p, c, keys, first, x, x_stride, t, t_stride, size, out, scratch) as machine code.

    It adds the loss and its gradient, summed over a block of at most `block` samples, to the 1 + P doubles of
    out; expression.llvm_source.sums_source says more. It takes `room` numbers of scratch memory, and the keys
    of dropout of `streams` layers.
    """

    code: MachineCode
    block: int
    room: int = 0
    streams: int = 0


def graph_sums(graph: Graph, loss: Loss, dtype: torch.dtype) -> Sums:
    """The sums of a graph with parameters of `dtype`.

    >>> import torch
    >>> from packtrain.kernels.descent.numba.sums import graph_sums
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.loss import loss_of
    >>> graph_sums(parse("xy = a*x"), loss_of("mse"), torch.float32).room
    0
    """
    return Sums(numba_kernel.sums(graph, loss, dtype), llvm_source.BLOCK)


def layers_sums(
    widths: Sequence[int],
    bias: bool,
    loss: Loss,
    dtype: torch.dtype,
    activation: Activation = RELU,
    dropout: bool = False,
) -> Sums:
    """The sums of an MLP with parameters of `dtype`: weight_0 [O, I], bias_0 [O], weight_1, ...

    >>> import torch
    >>> from packtrain.kernels.descent.numba.sums import layers_sums
    >>> from packtrain.kernels.loss import loss_of
    >>> layers_sums([2, 8, 1], bias=True, loss=loss_of("mse"), dtype=torch.float32).block
    1024
    """
    return _of_layers(tuple(widths), bias, loss, KINDS[dtype], activation, dropout)


@lru_cache(KEPT)
def _of_layers(
    widths: tuple[int, ...], bias: bool, loss: Loss, kind: str, activation: Activation, dropout: bool
) -> Sums:
    source = layers_source(widths, bias, loss, kind, activation, dropout)
    streams = len(widths) - 2 if dropout else 0
    return Sums(compiled(source.text, "sums"), source.block, source.room, streams)
