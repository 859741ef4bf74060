"""A shared order's minibatches, gathered once for all runs by compiled loops on the CPU."""

from pathlib import Path

from torch import Tensor

import kernels.random
from kernels import source_cache
from kernels.fused.block import Batches, Shuffle
from kernels.threads import share

PERMUTATION = Path(kernels.random.__file__).with_name("numba_permutation.py")

SOURCE = f"""# over {source_cache.version(PERMUTATION)}
import numpy as np
from numba import njit

from kernels.random.numba_permutation import samples


@njit(nogil=True, cache=True, error_model="numpy")
def gather(start, stop, x, t, keys, epoch, first, x_out, t_out):
    index = np.empty(x_out.shape[2], np.int64)
    for row in range(start, stop):
        samples(keys, epoch, x.shape[1], (first + row) * index.size, index)
        for v in range(x.shape[0]):
            for n in range(index.size):
                x_out[row, v, n] = x[v, index[n]]
        for v in range(t.shape[0]):
            for n in range(index.size):
                t_out[row, v, n] = t[v, index[n]]
"""


def gathered(inputs: Tensor, targets: Tensor, shuffle: Shuffle, first: int, rows: int) -> Batches:
    """The minibatches of `rows` steps from `first` on in the order of `shuffle`, whose keys are [E, 4].

    inputs [V, N], targets [T, N] -> [S, V, B] and [S, T, B].
    """
    x_out, t_out = (each.new_empty(rows, len(each), shuffle.batch) for each in (inputs, targets))
    x, t, keys, *out = (each.numpy() for each in (inputs, targets, shuffle.keys, x_out, t_out))
    gather = source_cache.load(SOURCE).gather
    share(rows, lambda start, stop: gather(start, stop, x, t, keys, shuffle.epoch, first, *out))
    return Batches(x_out, t_out)
