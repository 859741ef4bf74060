"""The order of minibatches: which samples each step sees, as a function of the step alone."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels.random import Purpose, epoch_keys, permutation
from ...kernels.random.windows import Windows

BLOCK = 1 << 16  # samples of a block, where nothing else is said
FEWEST = 1 << 20  # samples of a window, likewise
TOGETHER = 16  # blocks of a window, likewise
KNOWN = 4  # epochs whose blocks are kept in mind, and more of few blocks
KNOWN_BLOCKS = 1 << 12


@dataclass(frozen=True)
class Order:
    """An endless stream of epochs, each a new permutation of all N samples, cut into minibatches of B.

    A minibatch that reaches the end of an epoch goes on into the next, so that all are of one size and
    every sample is seen once an epoch. `seeds` [] give an order that the pack shares, [R] each run its own,
    and None the order in which the samples stand.

    >>> import torch
    >>> from packtrain.trainer.data.order import Order
    >>> order = Order(size=5, batch=2, seeds=None, device=torch.device("cpu"))
    >>> order.indices(0, 3).tolist()
    [[0, 1], [2, 3], [4, 0]]
    """

    size: int
    batch: int
    seeds: Tensor | None
    device: torch.device

    @property
    def whole(self) -> bool:
        """Whether each minibatch is the whole data set, taken as it stands."""
        return self.batch == self.size

    @property
    def own(self) -> bool:
        """Whether each run has its own order."""
        return self.seeds is not None and self.seeds.dim() == 1

    @property
    def indices_a_step(self) -> int:
        """How many indices `indices` holds for each step."""
        if self.whole:
            return 1
        return self.batch * (1 if self.seeds is None else self.seeds.numel())

    def epochs(self, start: int, stop: int) -> range:
        """The epochs that steps start..stop-1 reach into."""
        return range(start * self.batch // self.size, (stop * self.batch - 1) // self.size + 1)

    def indices(self, start: int, stop: int, places: slice = slice(None)) -> Tensor:
        """The samples of steps start..stop-1: [S, B], or [S, R, B] where each run has its own order.

        With `places` those at some places of each minibatch.
        """
        steps = torch.arange(start, stop, device=self.device)
        stream = steps[:, None] * self.batch + torch.arange(self.batch, device=self.device)[places]
        if self.seeds is None:
            return stream % self.size
        if not stream.numel():  # a rank without samples
            return stream.new_empty(len(steps), *self.seeds.shape, 0)
        samples = permutation(self.seeds, Purpose.ORDER, stream, self.size)
        return samples if samples.dim() == 2 else samples.transpose(0, 1)


@dataclass(frozen=True)
class Blocks:
    """The `sizes` [K] of the blocks in which samples stand: shuffled, and dealt to `windows`.

    >>> from packtrain.trainer.data.order import Blocks
    >>> Blocks.even(samples=10, block=4, window=4)
    Blocks(sizes=(4, 4, 2), windows=3)
    """

    sizes: tuple[int, ...]
    windows: int

    @classmethod
    def even(cls, samples: int, block: int, window: int) -> "Blocks":
        """Blocks of `block` samples, the last one of what is left, in windows of about `window` samples."""
        whole, left = divmod(samples, block)
        return cls.of((block,) * whole + ((left,) if left else ()), window)

    @classmethod
    def of(cls, sizes: tuple[int, ...], window: int) -> "Blocks":
        """Blocks of these sizes in windows of about `window` samples, of a block at least.

        >>> from packtrain.trainer.data.order import Blocks
        >>> Blocks.of((5, 5, 5, 5), window=10).windows
        2
        """
        return cls(sizes, max(1, min(len(sizes), -(-sum(sizes) // window))))

    @property
    def largest(self) -> int:
        """The most samples of a window."""
        return sum(sorted(self.sizes)[-len(self.sizes) // self.windows :])

    @property
    def smallest(self) -> int:
        """The fewest samples of a window."""
        return sum(sorted(self.sizes)[: len(self.sizes) // self.windows])

    def bounds(self) -> list[int]:
        """Which of the shuffled blocks each window has: from bounds[w] up to bounds[w + 1]."""
        return [len(self.sizes) * window // self.windows for window in range(self.windows + 1)]


class Epoch(NamedTuple):
    """The blocks in the order of an epoch, and where in the epoch each window starts, with its end."""

    blocks: list[int]
    starts: list[int]


@dataclass(frozen=True)
class BlockOrder(Order):
    """Epochs in which blocks are shuffled, and then the samples of a window of blocks; see Order.

    Which sample a step sees is a function of the seed, the step and the blocks alone, and one window, or two,
    have to be in memory for it. Windows are counted over all epochs. Without `seeds` nothing is shuffled.

    >>> import torch
    >>> from packtrain.trainer.data.order import BlockOrder, Blocks
    >>> seed, blocks = torch.tensor(0), Blocks.even(samples=6, block=2, window=4)
    >>> order = BlockOrder(6, 2, seed, torch.device("cpu"), blocks)
    >>> order.indices(0, 3).tolist()
    [[3, 2], [1, 0], [4, 5]]
    """

    blocks: Blocks
    known: dict[int, Epoch] = field(default_factory=dict, compare=False, repr=False)

    def indices(self, start: int, stop: int, places: slice = slice(None)) -> Tensor:
        """The samples of steps start..stop-1, at some `places` of each minibatch: [S, B]."""
        windows = self.windows(self.reach(start, stop))
        found = windows.samples(start * self.batch, stop - start, self.batch)
        return found[:, places].to(self.device)

    def reach(self, start: int, stop: int) -> range:
        """The windows that steps start..stop-1 reach into."""
        places = start * self.batch, stop * self.batch - 1
        first, last = map(self.window_of, places)
        return range(first, last + 1)

    def window_of(self, place: int) -> int:
        """The window that has the sample at this place of the stream."""
        epoch, position = divmod(place, self.size)
        return epoch * self.blocks.windows + bisect_right(self.epoch(epoch).starts, position) - 1

    def begin(self, window: int) -> int:
        """The place in the stream at which a window begins."""
        epoch, inside = divmod(window, self.blocks.windows)
        return epoch * self.size + self.epoch(epoch).starts[inside]

    def end(self, window: int) -> int:
        """The place in the stream at which a window ends."""
        epoch, inside = divmod(window, self.blocks.windows)
        return epoch * self.size + self.epoch(epoch).starts[inside + 1]

    def blocks_of(self, window: int) -> list[int]:
        """The blocks of a window, as they lie in it."""
        epoch, inside = divmod(window, self.blocks.windows)
        bounds = self.blocks.bounds()
        return self.epoch(epoch).blocks[bounds[inside] : bounds[inside + 1]]

    def windows(self, which: range, at: Callable[[int], int] | None = None) -> Windows:
        """These windows, for compiled code; their samples lie where they stand, or from at(window) on."""
        segments = [self._segments(window) if at is None else [(0, at(window))] for window in which]
        inside, rows = zip(*(segment for some in segments for segment in some), strict=True)
        ends = [self.end(window) for window in which]
        starts = list(map(self.begin, which))
        sizes = [end - start for start, end in zip(starts, ends, strict=True)]
        first = list(accumulate(map(len, segments), initial=0))
        starts, sizes, first, inside, rows = map(torch.tensor, (starts, sizes, first, inside, rows))
        return Windows(starts, sizes, self._keys(which), first, inside, rows)

    def epoch(self, number: int) -> Epoch:
        """The order of the blocks in an epoch."""
        epoch = self.known.get(number)
        if epoch is None:  # a thread that reads ahead asks, too: what it has asked for stays its own
            epoch = self.known[number] = self._epoch(number)
            for old in [*self.known][: -max(KNOWN, KNOWN_BLOCKS // len(epoch.blocks))]:
                self.known.pop(old, None)
        return epoch

    def _epoch(self, number: int) -> Epoch:
        count = len(self.blocks.sizes)
        places = torch.arange(number * count, (number + 1) * count)
        order = list(range(count))
        if self.seeds is not None and count > 1:
            order = permutation(self.seeds.cpu(), Purpose.BLOCKS, places, count).tolist()
        ends = list(accumulate((self.blocks.sizes[block] for block in order), initial=0))
        return Epoch(order, [ends[bound] for bound in self.blocks.bounds()])

    def _segments(self, window: int) -> list[tuple[int, int]]:
        """(the place in the window, the row) at which each of its blocks begins."""
        blocks = self.blocks_of(window)
        inside, rows = accumulate((self.blocks.sizes[block] for block in blocks), initial=0), self.rows
        return [(place, rows[block]) for place, block in zip(inside, blocks, strict=False)]

    @property
    def rows(self) -> list[int]:
        """The row at which each block begins, and their end."""
        return list(accumulate(self.blocks.sizes, initial=0))

    def _keys(self, which: range) -> Tensor:
        if self.seeds is None:
            return torch.empty(0, 4, dtype=torch.int64)
        return epoch_keys(self.seeds.cpu(), Purpose.WINDOWS, which.start, which.stop)
