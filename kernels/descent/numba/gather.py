"""The minibatches of an order that all runs share, gathered by a compiled loop on the CPU."""

import numpy as np
from torch import Tensor

from ...common.numba_cache import cached
from ...common.threads import share
from ...random.numba_permutation import samples, window_samples
from ...random.windows import Windows
from ..block import Batches, Shuffle


@cached
def _take(data, index, out):
    for v in range(data.shape[0]):
        for n in range(index.size):
            out[v, n] = data[v, index[n]]


@cached
def _gather(start, stop, x, t, keys, epoch, first, x_out, t_out):
    index = np.empty(x_out.shape[2], np.int64)
    for row in range(start, stop):
        samples(keys, epoch, x.shape[1], (first + row) * index.size, index)
        _take(x, index, x_out[row])
        _take(t, index, t_out[row])


def gather(inputs: Tensor, targets: Tensor, shuffle: Shuffle, first: int, out: Batches) -> None:
    """Writes the minibatches of the steps from `first` on into `out`, in the order of `shuffle`.

    inputs [V, N], targets [T, N], the shuffle's keys [E, 4] -> `out`, [S, V, B] and [S, T, B].

    >>> import torch
    >>> from packtrain.kernels.descent.block import Batches, Shuffle
    >>> from packtrain.kernels.descent.numba.gather import gather
    >>> x, out = torch.arange(4.0)[None], Batches(torch.empty(2, 1, 2), torch.empty(2, 1, 2))
    >>> gather(x, -x, Shuffle(torch.ones(1, 4, dtype=torch.int64), epoch=0, batch=2), 0, out)
    >>> out.inputs.flatten().sort().values, out.inputs.equal(-out.targets)
    (tensor([0., 1., 2., 3.]), True)
    """
    tensors = inputs, targets, shuffle.keys, out.inputs, out.targets
    x, t, keys, x_out, t_out = (tensor.numpy() for tensor in tensors)
    share(
        len(x_out), lambda start, stop: _gather(start, stop, x, t, keys, shuffle.epoch, first, x_out, t_out)
    )


@cached
def _gather_windows(start, stop, x, t, starts, sizes, keys, segments, inside, rows, place, x_out, t_out):
    index = np.empty(x_out.shape[2], np.int64)
    for row in range(start, stop):
        window_samples(starts, sizes, keys, segments, inside, rows, place + row * index.size, index)
        _take(x, index, x_out[row])
        _take(t, index, t_out[row])


def gather_windows(inputs: Tensor, targets: Tensor, windows: Windows, place: int, out: Batches) -> None:
    """Writes the minibatches that begin at `place` of a stream into `out`; its samples lie in `windows`.

    inputs [V, N], targets [T, N] -> `out`, [S, V, B] and [S, T, B].

    >>> import torch
    >>> from packtrain.kernels.descent.block import Batches
    >>> from packtrain.kernels.descent.numba.gather import gather_windows
    >>> from packtrain.kernels.random.windows import Windows
    >>> x, out = torch.arange(4.0)[None], Batches(torch.empty(2, 1, 2), torch.empty(2, 1, 2))
    >>> zero, one = torch.tensor([0]), torch.tensor([0, 1])
    >>> windows = Windows(zero, zero + 4, torch.ones(1, 4, dtype=torch.int64), one, zero, zero)
    >>> gather_windows(x, -x, windows, 0, out)
    >>> out.inputs.flatten().sort().values, out.inputs.equal(-out.targets)
    (tensor([0., 1., 2., 3.]), True)
    """
    x, t, x_out, t_out = (tensor.numpy() for tensor in (inputs, targets, out.inputs, out.targets))
    arrays = windows.arrays
    share(len(x_out), lambda start, stop: _gather_windows(start, stop, x, t, *arrays, place, x_out, t_out))
