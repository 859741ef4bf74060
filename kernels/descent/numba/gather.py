"""The minibatches of an order that all runs share, gathered by a compiled loop on the CPU."""

import numpy as np
from numba import njit
from torch import Tensor

from ...common.numba_cache import cached
from ...common.threads import share
from ...random.numba_permutation import samples, window_samples
from ...random.windows import Windows
from ..block import Batches, Shuffle

CHUNK = 256  # samples that are read one by one, and then written a column at a time out of the cache


@njit(error_model="numpy")
def _take(x, t, first, index, x_out, t_out):
    """x_out [V, B], t_out [T, B] = samples `index` [B] of x [N, >= V], and of t from column `first` on."""
    for start in range(0, index.size, CHUNK):
        stop = min(start + CHUNK, index.size)
        _columns(x, 0, index[start:stop], x_out[:, start:stop])
        _columns(t, first, index[start:stop], t_out[:, start:stop])


@njit(error_model="numpy")
def _columns(rows, first, index, out):
    flat, at = rows.reshape(-1), np.empty(CHUNK, np.uint64)  # unsigned: no place counts from the end
    for n in range(index.size):
        at[n] = index[n] * rows.shape[1] + first
    for v in range(out.shape[0]):
        column, shift = out[v], np.uint64(v)
        for n in range(index.size):
            column[n] = flat[at[n] + shift]


@cached
def _gather(start, stop, x, t, column, keys, epoch, first, x_out, t_out):
    index = np.empty(x_out.shape[2], np.int64)
    for row in range(start, stop):
        samples(keys, epoch, x.shape[0], (first + row) * index.size, index)
        _take(x, t, column, index, x_out[row], t_out[row])


def gather(inputs: Tensor, targets: Tensor, shuffle: Shuffle, first: int, out: Batches) -> None:
    """Writes the minibatches of the steps from `first` on into `out`, in the order of `shuffle`.

    inputs [N, V], targets [N, T], the shuffle's keys [E, 4] -> `out`, [S, V, B] and [S, T, B].

    >>> import torch
    >>> from packtrain.kernels.descent.block import Batches, Shuffle
    >>> from packtrain.kernels.descent.numba.gather import gather
    >>> x, out = torch.arange(4.0)[:, None], Batches(torch.empty(2, 1, 2), torch.empty(2, 1, 2))
    >>> gather(x, -x, Shuffle(torch.ones(1, 4, dtype=torch.int64), epoch=0, batch=2), 0, out)
    >>> out.inputs.flatten().sort().values, out.inputs.equal(-out.targets)
    (tensor([0., 1., 2., 3.]), True)
    """
    data, keys = _lying(inputs, targets), shuffle.keys.numpy()
    x_out, t_out = out.inputs.numpy(), out.targets.numpy()
    share(
        len(x_out), lambda start, stop: _gather(start, stop, *data, keys, shuffle.epoch, first, x_out, t_out)
    )


@cached
def _gather_windows(
    start, stop, x, t, column, starts, sizes, keys, segments, inside, rows, place, x_out, t_out
):
    index = np.empty(x_out.shape[2], np.int64)
    for row in range(start, stop):
        window_samples(starts, sizes, keys, segments, inside, rows, place + row * index.size, index)
        _take(x, t, column, index, x_out[row], t_out[row])


def gather_windows(inputs: Tensor, targets: Tensor, windows: Windows, place: int, out: Batches) -> None:
    """Writes the minibatches that begin at `place` of a stream into `out`; its samples lie in `windows`.

    inputs [N, V], targets [N, T] -> `out`, [S, V, B] and [S, T, B].

    >>> import torch
    >>> from packtrain.kernels.descent.block import Batches
    >>> from packtrain.kernels.descent.numba.gather import gather_windows
    >>> from packtrain.kernels.random.windows import Windows
    >>> x, out = torch.arange(4.0)[:, None], Batches(torch.empty(2, 1, 2), torch.empty(2, 1, 2))
    >>> zero, one = torch.tensor([0]), torch.tensor([0, 1])
    >>> windows = Windows(zero, zero + 4, torch.ones(1, 4, dtype=torch.int64), one, zero, zero)
    >>> gather_windows(x, -x, windows, 0, out)
    >>> out.inputs.flatten().sort().values, out.inputs.equal(-out.targets)
    (tensor([0., 1., 2., 3.]), True)
    """
    given = *_lying(inputs, targets), *windows.arrays
    x_out, t_out = out.inputs.numpy(), out.targets.numpy()
    share(len(x_out), lambda start, stop: _gather_windows(start, stop, *given, place, x_out, t_out))


def _lying(inputs: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows of inputs, rows of targets, and the first column of these: so that arrays are without gaps.

    Where both are parts of the same rows, these are given twice.
    """
    count, width = inputs.shape
    stride = width + targets.shape[1]
    behind = inputs.data_ptr() + width * inputs.itemsize == targets.data_ptr()
    if behind and inputs.dtype == targets.dtype and inputs.stride() == targets.stride() == (stride, 1):
        whole = inputs.as_strided((count, stride), (stride, 1)).numpy()
        return whole, whole, width
    return inputs.contiguous().numpy(), targets.contiguous().numpy(), 0
