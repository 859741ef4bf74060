"""What a compiled training is given: the runs, a block of steps, and where losses are recorded."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Runs:
    """R runs of one model, which a compiled training changes in place.

    `parameters` [R, P]; `constants` [R, C] are those of the optimizer's update, `model_constants` [R, M]
    those of the model and its loss; `seeds` [R]; `setting` [R] is the column of Block.table of a run.
    A run makes `steps` [R] steps, and has made `count` [R]. `alive` [R] is False once a run has diverged;
    `clip` [R] is the largest norm of a gradient, or None.
    """

    parameters: Tensor
    constants: Tensor
    model_constants: Tensor
    seeds: Tensor
    setting: Tensor
    steps: Tensor
    count: Tensor
    alive: Tensor
    clip: Tensor | None


@dataclass(frozen=True)
class Record:
    """What is recorded of H steps: `losses` and gradients' `norms` [H, R], and parameters before the step.

    `path` [H, R, C] holds those parameters, of the indices `columns` [C]. `last` [R] is the latest
    step's loss, recorded or not. Losses are NaN where a run was not trained.
    """

    losses: Tensor
    norms: Tensor
    path: Tensor
    columns: Tensor
    last: Tensor


@dataclass(frozen=True)
class Shuffle:
    """An order of the samples for each run: step s takes places s B to (s + 1) B - 1 of its stream of epochs.

    B is `batch`; `keys` [R, E, 4] are the permutation keys of E epochs from `epoch` on.
    """

    keys: Tensor
    epoch: int
    batch: int


@dataclass(frozen=True)
class Batches:
    """inputs [S, V, B] and targets [S, T, B], a minibatch for each row of a block, or [1, ...] for all.

    Where each run has data of its own they are [S, R, V, B] and [S, R, T, B]. With a `shuffle` they are all
    samples, N in the place of B, of which each run takes its own.
    """

    inputs: Tensor
    targets: Tensor
    shuffle: Shuffle | None = None

    @property
    def batch(self) -> int:
        """B."""
        return self.shuffle.batch if self.shuffle else self.inputs.shape[-1]

    @property
    def bytes_a_step(self) -> int:
        """The bytes of inputs and targets that a step reads."""
        a_sample = sum(part.shape[-2] * part.itemsize for part in (self.inputs, self.targets))
        return self.batch * a_sample

    @property
    def keys(self) -> Tensor:
        """The keys [R, E, 4]; [0, 0, 4] where there is no shuffle."""
        return self.shuffle.keys if self.shuffle else torch.empty(0, 0, 4, dtype=torch.int64)


@dataclass(frozen=True)
class Block:
    """S steps from `first` on: minibatches, and the update's coefficients `table` [S, K, U] of U settings.

    `slots` [S] are the rows of the Record that the steps are written to; H - 1 is for a step that is not
    recorded.
    """

    first: int
    batches: Batches
    table: Tensor
    slots: Tensor


class Descent(Protocol):
    """The training of R runs by one optimizer on one loss; `states` [R, K, P] is the optimizer's state."""

    states: Tensor

    def advance(self, block: Block, rows: slice) -> None:
        """Makes the steps in `rows` of the block."""
        ...
