"""Two windows of a stream's samples in memory: one that is trained on, and the next, which is being read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial

import torch
from torch import Tensor

from ....kernels.random.windows import Windows
from ..memory import available_memory, check_memory
from ..order import BlockOrder, Order
from .copies import Copies
from .room import Room
from .streamed import Stream

SLOTS = 2
Part = tuple[int, Callable[[Room], None]]  # so many samples, and what writes them


class Ring(ABC):
    """The `samples` of two windows of a stream: 2 C, C of the largest window.

    Raises UserError where there is no memory for them.
    """

    def __init__(self, stream: Stream, order: Order, capacity: int) -> None:
        self.stream, self.order, self.capacity = stream, order, capacity
        self.batch = order.batch
        size, device = SLOTS * capacity, stream.device
        what = f"data=stream, with two windows of {capacity:,} samples,"
        needed = size * stream.bytes_a_sample
        check_memory(needed, available_memory(device), what, "take a smaller data.window, or fewer columns")
        self.samples = stream.recipe.room(size, device=device)
        self.slots: list[tuple[int, Future[None]] | None] = [None] * SLOTS
        self.copies = Copies(stream, SLOTS, self.read_at_once) if device.type == "cuda" else None

    @property
    @abstractmethod
    def read_at_once(self) -> int:
        """The most samples that are read at a time."""

    @property
    @abstractmethod
    def most_steps(self) -> int:
        """How many steps reach into half a window at most: so that the other half is read meanwhile."""

    @abstractmethod
    def reach(self, start: int, stop: int) -> range:
        """The windows that steps start..stop-1 reach into."""

    @abstractmethod
    def within(self, step: int) -> int:
        """The end of the steps from `step` on that one window serves; a step that needs two is alone."""

    @abstractmethod
    def windows(self, which: range) -> Windows:
        """Where the samples of these windows lie here, for compiled code."""

    @abstractmethod
    def parts(self, window: int) -> Iterator[Part]:
        """What a window is read in."""

    @abstractmethod
    def expect(self, window: int) -> None:
        """Lets the system bring what a window needs from the disk meanwhile, where it knows how."""

    def indices(self, start: int, stop: int) -> Tensor:
        """Where the samples of steps start..stop-1 will lie: [S, B]."""
        batch, device = self.batch, self.order.device
        if not batch:  # a rank without samples
            return torch.empty(stop - start, 0, dtype=torch.int64, device=device)
        found = self.windows(self.reach(start, stop)).samples(start * batch, stop - start, batch)
        return found.to(device)

    def hold(self, windows: range) -> None:
        """Waits until these windows are in memory, two at most; then the next is read meanwhile.

        Raises UserError where a file can't be read, or isn't as it was.
        """
        assert len(windows) <= SLOTS
        for window in windows:
            slot, coming = window % SLOTS, self._coming(window)
            try:
                coming.result()
            except BaseException:
                self.slots[slot] = None
                raise
            if self.copies:
                self.copies.arrived(slot)
        if len(windows) < SLOTS:
            self._coming(windows.stop)

    def place(self, window: int) -> int:
        """Where the slot of a window begins."""
        return window % SLOTS * self.capacity

    def _coming(self, window: int) -> Future[None]:
        slot = window % SLOTS
        held = self.slots[slot]
        if held is None or held[0] != window:
            if self.copies:
                self.copies.free(slot)
            held = self.slots[slot] = window, self.stream.source.later(self._read, window)
        return held[1]

    def _read(self, window: int) -> None:
        """Reads a window into its slot, part after part."""
        self.stream.source.check()
        self.expect(window + 1)
        at = self.place(window)
        for size, write in self.parts(window):
            room = self.samples.part(at, at + size)
            if self.copies:
                self.copies.write(write, window % SLOTS, room)
            else:
                write(room)
            at += size
        self.stream.source.check()


class BlockRing(Ring):
    """A ring of windows of blocks."""

    order: BlockOrder

    def __init__(self, stream: Stream, order: BlockOrder) -> None:
        self.blocks = order.blocks
        super().__init__(stream, order, order.blocks.largest)

    @property
    def read_at_once(self) -> int:
        return max(self.blocks.sizes)

    @property
    def most_steps(self) -> int:
        return max(1, self.blocks.smallest // (2 * self.order.batch))

    def reach(self, start: int, stop: int) -> range:
        return self.order.reach(start, stop)

    def within(self, step: int) -> int:
        batch = self.order.batch
        return max(step + 1, self.order.end(self.order.window_of(step * batch)) // batch)

    def windows(self, which: range) -> Windows:
        return self.order.windows(which, self.place)

    def expect(self, window: int) -> None:
        for block in self.order.blocks_of(window):
            self.stream.expect(block)

    def parts(self, window: int) -> Iterator[Part]:
        for block in self.order.blocks_of(window):
            yield self.blocks.sizes[block], partial(self.stream.write, block)
