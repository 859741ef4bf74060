"""The minibatches of a block of steps, as compiled trainings take them."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ...kernels.descent.block import Batches, Shuffle
from ...kernels.descent.numba.gather import gather, gather_windows
from ...kernels.loss import with_weights
from ...kernels.random import Purpose, epoch_keys
from ...kernels.random.windows import Windows
from ..data.dataset import Dataset
from ..data.order import BlockOrder, Order
from ..data.stream.ring import Ring


def minibatches(data: Dataset, order: Order, rows: int, ring: Ring | None = None) -> Callable[[int], Batches]:
    """What makes the minibatches of `rows` steps from a step on: of data in memory, or in a stream's ring.

    >>> import torch
    >>> data = Dataset(torch.arange(4.0)[:, None], torch.zeros(4, 1), ("x",), ("y",))
    >>> order = Order(size=4, batch=2, seeds=None, device=torch.device("cpu"))
    >>> minibatches(data, order, rows=2)(0).inputs.tolist()
    [[[0.0, 1.0]], [[2.0, 3.0]]]
    """
    return Minibatches(data, order, rows) if ring is None else Streaming(ring, rows)


class Streaming:
    """The minibatches of `rows` steps at a time, copied from the ring; they are valid until the next call."""

    def __init__(self, ring: Ring, rows: int) -> None:
        self.ring, self.rows = ring, rows
        self.room = Batches(self._room(ring.samples.inputs), self._room(ring.samples.targets))

    def _room(self, samples: Tensor) -> Tensor:
        return samples.new_empty(self.rows, samples.shape[1], self.ring.order.batch)

    def __call__(self, first: int) -> Batches:
        """The minibatches of the steps from `first` on."""
        ring, reach = self.ring, self.ring.reach(first, first + self.rows)
        ring.hold(reach)
        _take(ring.samples.inputs, ring.samples.targets, ring.windows(reach), ring.order, first, self.room)
        ring.hold(reach[-1:])  # what comes before was copied, so that what comes next can be read
        return self.room


class Minibatches:
    """The minibatches of `rows` steps at a time: copied once for all runs where they share an order.

    The samples' weights, where there are any, are one more input. Where each run has its own order, or data
    of its own, the compiled loop computes it. Where each minibatch is the whole data set, nothing is copied.
    """

    def __init__(self, data: Dataset, order: Order, rows: int) -> None:
        inputs = data.inputs if data.weights is None else with_weights(data.inputs, data.weights)
        self.of_runs = data.of_runs
        self.order, self.rows = order, rows
        if copied(order) and not self.of_runs:
            self.inputs, self.targets = inputs.contiguous(), data.targets.contiguous()
        else:
            self.inputs, self.targets = inputs.mT.contiguous(), data.targets.mT.contiguous()
        self.everything = Batches(self.inputs[None], self.targets[None])
        self.room = Batches(self._room(self.inputs), self._room(self.targets))

    def __call__(self, first: int) -> Batches:
        """The minibatches of the steps from `first` on, valid until the next call."""
        if self.order.whole:
            return self.everything
        if self.order.own or (self.of_runs and self.order.seeds is not None):
            return replace(self.everything, shuffle=self._shuffle(first))
        if isinstance(self.order, BlockOrder):
            windows = self.order.windows(self.order.reach(first, first + self.rows))
            _take(self.inputs, self.targets, windows, self.order, first, self.room)
            return self.room
        if self.order.seeds is None or self.inputs.is_cuda:
            indices = self.order.indices(first, first + self.rows)
            return Batches(self._gathered(self.inputs, indices), self._gathered(self.targets, indices))
        gather(self.inputs, self.targets, self._shuffle(first), first, self.room)
        return self.room

    def _room(self, samples: Tensor) -> Tensor:
        """Memory for the copies of `rows` minibatches: none where nothing is copied."""
        rows = self.rows if copied(self.order) and not self.of_runs else 0
        return samples.new_empty(rows, samples.shape[-1] if rows else 0, self.order.batch)

    def _gathered(self, samples: Tensor, indices: Tensor) -> Tensor:
        """[N, V] and [S, B] -> [S, V, B]; [R, V, N] -> [S, R, V, B]."""
        if self.of_runs:
            return samples[..., indices].movedim(-2, 0).contiguous()
        return samples[indices].mT.contiguous()

    def _shuffle(self, first: int) -> Shuffle:
        assert self.order.seeds is not None
        epochs = self.order.epochs(first, first + self.rows)
        keys = epoch_keys(self.order.seeds, Purpose.ORDER, epochs.start, epochs.stop)
        if not self.order.own and self.of_runs:
            keys = keys.expand(len(self.inputs), -1, -1).contiguous()
        return Shuffle(keys, epochs.start, self.order.batch)


def _take(inputs: Tensor, targets: Tensor, windows: Windows, order: Order, first: int, room: Batches) -> None:
    """Copies the minibatches of the steps from `first` on, whose samples lie in `windows`."""
    place = first * order.batch
    if not inputs.is_cuda:
        gather_windows(inputs, targets, windows, place, room)
        return
    indices = windows.samples(place, len(room.inputs), order.batch).to(inputs.device)
    room.inputs.copy_(inputs[indices].mT)
    room.targets.copy_(targets[indices].mT)


def copied(order: Order) -> bool:
    """Whether minibatches are copied: not where each is the whole data set, or each run has its own order.

    >>> import torch
    >>> copied(Order(size=9, batch=9, seeds=None, device=torch.device("cpu")))
    False
    """
    return not (order.whole or order.own)
