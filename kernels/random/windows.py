"""Samples in windows, each of which is shuffled by itself: it takes one window in memory."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """W windows of a stream of samples, one after another; all are int64.

    Window i has the places starts[i] to starts[i] + sizes[i] - 1 of the stream, and keys[i] of `keys` [W, 4]
    shuffle them inside it; [0, 4]: they stay as they are. Its samples lie in the segments first[i] to
    first[i + 1] - 1 of `first` [W + 1]: segment s begins at place inside[s] of the window, and at rows[s] of
    where the samples are.
    """

    starts: Tensor
    sizes: Tensor
    keys: Tensor
    first: Tensor
    inside: Tensor
    rows: Tensor

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """As compiled code takes them."""
        parts = self.starts, self.sizes, self.keys, self.first, self.inside, self.rows
        return tuple(part.numpy() for part in parts)

    def samples(self, place: int, steps: int, batch: int) -> Tensor:
        """Where the samples of so many minibatches lie, the first of which is at `place`: [S, B].

        >>> import torch
        >>> from packtrain.kernels.random.windows import Windows
        >>> start, size, none = torch.tensor([6]), torch.tensor([3]), torch.empty(0, 4, dtype=torch.int64)
        >>> segments = torch.tensor([0, 2]), torch.tensor([0, 1]), torch.tensor([40, 50])
        >>> Windows(start, size, none, *segments).samples(6, steps=1, batch=3).tolist()
        [[40, 50, 51]]
        """
        # numba takes a second to import
        from .numba_windows import locate  # noqa: PLC0415 (see above)

        found = torch.empty(steps, batch, dtype=torch.int64)
        locate(self.arrays, place, found.numpy())
        return found
