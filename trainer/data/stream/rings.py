"""The ring of a stream in an order: by blocks or by single rows, for all samples of a step or some."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ....kernels.random.windows import Windows
from ..order import BlockOrder, Order
from .ring import BlockRing, Part, Ring
from .streamed import Stream


class StepRing(Ring):
    """A ring of windows of steps, whose samples are read one by one: those at `own` places of each step."""

    def __init__(self, stream: Stream, order: Order, window: int, own: range) -> None:
        self.steps, self.own = max(2, window // order.batch), own
        super().__init__(stream, order, self.steps * len(own))
        self.batch = len(own)

    @property
    def read_at_once(self) -> int:
        return self.capacity

    @property
    def most_steps(self) -> int:
        return self.steps // 2

    def reach(self, start: int, stop: int) -> range:
        return range(start // self.steps, (stop - 1) // self.steps + 1)

    def within(self, step: int) -> int:
        return step - step % self.steps + self.steps

    def expect(self, window: int) -> None:
        """Nothing: single rows come when they are read."""

    def windows(self, which: range) -> Windows:
        here = torch.tensor([*which])
        sizes, places = torch.full_like(here, self.capacity), torch.tensor(list(map(self.place, which)))
        first = torch.arange(len(which) + 1)
        nothing = here.new_empty(0, 4)
        return Windows(here * self.capacity, sizes, nothing, first, torch.zeros_like(here), places)

    def parts(self, window: int) -> Iterator[Part]:
        own = slice(self.own.start, self.own.stop)
        samples = self.order.indices(window * self.steps, (window + 1) * self.steps, own).flatten().cpu()
        yield self.capacity, partial(self.stream.scattered, samples)


class SharedRing(BlockRing):
    """A ring of windows of blocks, of which it keeps the samples at `own` places of each minibatch.

    They lie in the order of the steps. Blocks are read whole, unless samples lie apart from one another.
    """

    def __init__(self, stream: Stream, order: BlockOrder, own: range) -> None:
        self.blocks, self.own = order.blocks, own
        Ring.__init__(self, stream, order, (order.blocks.largest // order.batch + 2) * len(own))
        self.batch = len(own)

    @property
    def read_at_once(self) -> int:
        return self.capacity

    def expect(self, window: int) -> None:
        if not self.stream.lies_apart:
            super().expect(window)

    def indices(self, start: int, stop: int) -> Tensor:
        count = len(self.own)
        numbers = torch.arange(start * count, stop * count).view(stop - start, count)
        places = numbers.clone()
        for window in self.reach(start, stop):
            first = self._before(self.order.begin(window))
            places = torch.where(numbers >= first, numbers - first + self.place(window), places)
        return places.to(self.order.device)

    def parts(self, window: int) -> Iterator[Part]:
        begin, end = self.order.begin(window), self.order.end(window)
        inside = torch.arange(begin, end) % self.order.batch
        mine = (inside >= self.own.start) & (inside < self.own.stop)
        samples = self.order.windows(range(window, window + 1)).samples(begin, 1, end - begin)[0, mine]
        read = self.stream.scattered if self.stream.lies_apart else self.stream.pick
        yield len(samples), partial(read, samples)

    def _before(self, place: int) -> int:
        """How many own samples there are before this place of the stream."""
        step, inside = divmod(place, self.order.batch)
        return step * len(self.own) + min(max(inside - self.own.start, 0), len(self.own))


def ring_of(stream: Stream, order: Order, places: slice = slice(None)) -> Ring:
    """The ring of a stream in this order, which all engines share that train on it.

    With `places` for a rank that computes those samples of each minibatch alone.

    >>> import tempfile
    >>> import numpy as np
    >>> from packtrain.trainer.config.schema import DataConfig
    >>> from packtrain.trainer.data.stream.load import load_stream
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/rows.npz", x=np.arange(9), target=np.ones(9))
    ...     config = DataConfig("stream", path=f"{folder}/rows.npz", block=3, window=3)
    ...     train = load_stream(config, None, "mse", torch.device("cpu"), torch.float32).train
    ...     order = BlockOrder(9, 3, None, torch.device("cpu"), train.stream.blocks)
    ...     ring_of(train.stream, order).hold(range(0, 1))
    ...     ring_of(train.stream, order).samples.inputs[:3, 0].tolist()
    [0.0, 1.0, 2.0]
    """
    own = range(*places.indices(order.batch))
    seeds = None if order.seeds is None else tuple(order.seeds.flatten().tolist())
    key = "ring", type(order), seeds, order.batch, own
    if key not in stream.kept:
        stream.kept[key] = _ring(stream, order, own)
    return stream.kept[key]


def _ring(stream: Stream, order: Order, own: range) -> Ring:
    if not isinstance(order, BlockOrder):
        return StepRing(stream, order, stream.window, own)
    return BlockRing(stream, order) if len(own) == order.batch else SharedRing(stream, order, own)
