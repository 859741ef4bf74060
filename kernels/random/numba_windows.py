"""Where the samples of shuffled windows lie, found by a compiled loop on the CPU."""

from collections.abc import Sequence

import numpy as np

from ..common.numba_cache import cached
from ..common.threads import share
from .numba_permutation import window_samples


@cached
def _locate(start, stop, starts, sizes, keys, first, inside, rows, place, found):
    for step in range(start, stop):
        at = place + step * found.shape[1]
        window_samples(starts, sizes, keys, first, inside, rows, at, found[step])


def locate(windows: Sequence[np.ndarray], place: int, found: np.ndarray) -> None:
    """found [S, B] = where the samples of the minibatches from `place` on lie; see Windows.

    >>> import numpy as np
    >>> from packtrain.kernels.random.numba_windows import locate
    >>> found, none = np.empty((1, 2), np.int64), np.empty((0, 4), np.int64)
    >>> locate([np.array([0]), np.array([2]), none, np.array([0, 1]), np.array([0]), np.array([7])], 0, found)
    >>> found.tolist()
    [[7, 8]]
    """
    share(len(found), lambda start, stop: _locate(start, stop, *windows, place, found))
