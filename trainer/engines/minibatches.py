"""The minibatches of a block of steps, as compiled trainings take them."""

from dataclasses import replace

from torch import Tensor

from ...kernels.descent.block import Batches, Shuffle
from ...kernels.descent.numba.gather import gather
from ...kernels.loss import with_weights
from ...kernels.random import Purpose, epoch_keys
from ..data.dataset import Dataset
from ..data.order import Order


class Minibatches:
    """The minibatches of `rows` steps at a time: copied once for all runs where they share an order.

    The samples' weights, where there are any, are one more input. Where each run has its own order, or data
    of its own, the compiled loop computes it. Where each minibatch is the whole data set, nothing is copied.
    """

    def __init__(self, data: Dataset, order: Order, rows: int) -> None:
        inputs = data.inputs if data.weights is None else with_weights(data.inputs, data.weights)
        self.inputs, self.targets = inputs.mT.contiguous(), data.targets.mT.contiguous()
        self.of_runs = data.of_runs
        self.order, self.rows = order, rows
        self.everything = Batches(self.inputs[None], self.targets[None])
        self.room = Batches(self._room(self.inputs), self._room(self.targets))

    def __call__(self, first: int) -> Batches:
        """The minibatches of the steps from `first` on, valid until the next call."""
        if self.order.whole:
            return self.everything
        if self.order.own or (self.of_runs and self.order.seeds is not None):
            return replace(self.everything, shuffle=self._shuffle(first))
        if self.order.seeds is None or self.inputs.is_cuda:
            indices = self.order.indices(first, first + self.rows)
            return Batches(_gathered(self.inputs, indices), _gathered(self.targets, indices))
        gather(self.inputs, self.targets, self._shuffle(first), first, self.room)
        return self.room

    def _room(self, samples: Tensor) -> Tensor:
        """Memory for the copies of `rows` minibatches: none where nothing is copied."""
        rows = self.rows if copied(self.order) and not self.of_runs else 0
        return samples.new_empty(rows, samples.shape[-2], self.order.batch)

    def _shuffle(self, first: int) -> Shuffle:
        assert self.order.seeds is not None
        epochs = self.order.epochs(first, first + self.rows)
        keys = epoch_keys(self.order.seeds, Purpose.ORDER, epochs.start, epochs.stop)
        if not self.order.own and self.of_runs:
            keys = keys.expand(len(self.inputs), -1, -1).contiguous()
        return Shuffle(keys, epochs.start, self.order.batch)


def _gathered(samples: Tensor, indices: Tensor) -> Tensor:
    """[V, N] and [S, B] -> [S, V, B]; [R, V, N] -> [S, R, V, B]."""
    return samples[..., indices].movedim(-2, 0).contiguous()


def copied(order: Order) -> bool:
    """Whether minibatches are copied: not where each is the whole data set, or each run has its own order.

    >>> import torch
    >>> copied(Order(size=9, batch=9, seeds=None, device=torch.device("cpu")))
    False
    """
    return not (order.whole or order.own)
