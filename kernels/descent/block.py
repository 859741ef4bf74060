"""What compiled trainings are given: the runs, a block of steps, and where what happens is recorded."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Runs:
    """R runs of one model, which compiled trainings change in place.

    parameters [R, P]; `constants` [R, C] of the optimizer's update, and which of the U columns of its
    tables each run takes, `setting` [R]; how many steps it is to make, `steps` [R], and has made, `taken`
    [R]; which haven't diverged, `alive` [R]; `clip` [R], the largest norm of a gradient, or None.
    """

    parameters: Tensor
    constants: Tensor
    setting: Tensor
    steps: Tensor
    taken: Tensor
    alive: Tensor
    clip: Tensor | None


@dataclass(frozen=True)
class Record:
    """Where a step's loss and gradient norm go, [H, R], and the parameters `columns` [C] before it.

    `path` [H, R, C] holds the latter. The loss of the latest step goes into `last` [R]. Losses are NaN
    where a run was not trained.
    """

    losses: Tensor
    norms: Tensor
    path: Tensor
    columns: Tensor
    last: Tensor


@dataclass(frozen=True)
class Shuffle:
    """An order of its own for each run: step s takes places s B ... of the run's stream of epochs.

    `keys` [R, E, 4] are the permutation keys of E epochs from `epoch` on; B is `batch`.
    """

    keys: Tensor
    epoch: int
    batch: int


@dataclass(frozen=True)
class Batches:
    """inputs [S, V, B] and targets [S, T, B] of each row of a block, or [1, ...] of all rows.

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
    def bytes_a_step(self) -> int:
        """How much of inputs and targets a step reads."""
        a_sample = sum(each.shape[1] * each.itemsize for each in (self.inputs, self.targets))
        return self.batch * a_sample

    @property
    def keys(self) -> Tensor:
        """The keys [R, E, 4]; [0, 0, 4] where there is no shuffle."""
        return self.shuffle.keys if self.shuffle else torch.empty(0, 0, 4, dtype=torch.int64)


@dataclass(frozen=True)
class Block:
    """S steps from the step `first` on, a row each: minibatches, the update's coefficients `table` [S, K, U].

    `slots` [S] are the rows of the Record into which each goes.
    """

    first: int
    batches: Batches
    table: Tensor
    slots: Tensor


class Descent(Protocol):
    """Steps of one optimizer on one loss; `states` [R, K, P] are what the optimizer remembers."""

    states: Tensor

    def advance(self, block: Block, rows: slice) -> None:
        """The steps of these rows of the block."""
        ...
