"""The losses of R runs over all samples, by the machine code of a model's sums: no step is made."""

import numpy as np
import torch
from torch import Tensor

from ...common.native import call
from ...common.numba_cache import cached
from ...common.threads import share
from .sums import Sums


def losses(sums: Sums, parameters: Tensor, constants: Tensor, x: Tensor, t: Tensor, terms: int) -> Tensor:
    """L of each run: parameters [R, P], the loss's constants [R, C], x [V, N] and t [T, N] -> [R] in float64.

    x has one more row, of weights, where the loss is weighted; t of classes is [1, N], 64-bit. The loss is a
    mean of `terms` terms a sample, or with 0 a sum: see Loss.terms. Blocks are added in their order.

    >>> from packtrain.kernels.descent.numba.sums import layers_sums
    >>> from packtrain.kernels.loss import loss_of
    >>> kind, parameters = loss_of("mse"), torch.tensor([[2.0], [3.0]])
    >>> sums = layers_sums([1, 1], bias=False, loss=kind, dtype=torch.float32)
    >>> x = t = torch.ones(1, 4)
    >>> losses(sums, parameters, torch.empty(2, 0), x, t, kind.terms(1)).tolist()
    [1.0, 4.0]
    """
    out = np.empty(len(parameters))
    arrays = [part.detach().contiguous().numpy() for part in (parameters, constants, x, t)]
    code = sums.code.address["sums"], sums.block, sums.room
    share(len(parameters), lambda start, stop: _losses(start, stop, *code, *arrays, out))
    return torch.from_numpy(out) / (x.shape[1] * terms or 1)


@cached
def _losses(start, stop, sums, block, room, p, c, x, t, out):
    """out [R] = the sums of the loss, for runs start..stop-1."""
    size = x.shape[1]
    keys = np.empty(0, np.int64)
    total, scratch = np.empty(1 + p.shape[1]), np.empty(room, p.dtype)
    for run in range(start, stop):
        total[:] = 0.0
        for first in range(0, size, block):
            own = min(block, size - first)
            call(
                sums,
                (p[run], c[run], keys, first, x[:, first:], size, t[:, first:], size, own, total, scratch),
            )
        out[run] = total[0]
