"""The minibatches of a block of steps, one row a step, as compiled trainings take them."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shuffle:
    """Each run's own order: row s takes places (first + s) B ... of the run's stream of epochs.

    `keys` [R, E, 4] are the permutation keys of E epochs from `epoch` on; B is `batch`.
    """

    keys: Tensor
    epoch: int
    first: int
    batch: int


@dataclass(frozen=True)
class Batches:
    """inputs [S, V, B] and targets [S, T, B] of each row, or [1, ...] of all rows.

    With a `shuffle` they are all samples, [1, V, N] and [1, T, N], of which each run takes its own.
    """

    inputs: Tensor
    targets: Tensor
    shuffle: Shuffle | None = None

    @property
    def batch(self) -> int:
        """B."""
        return self.shuffle.batch if self.shuffle else self.inputs.shape[2]

    @property
    def keys(self) -> Tensor:
        """The keys [R, E, 4]; [0, 0, 4] where there is no shuffle."""
        return self.shuffle.keys if self.shuffle else torch.empty(0, 0, 4, dtype=torch.int64)
