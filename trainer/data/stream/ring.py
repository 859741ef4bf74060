"""Two windows of a stream's samples in memory: one that is trained on, and the next, which is being read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ....kernels.random.windows import Windows
from ..memory import available_memory, check_memory
from ..order import BlockOrder, Order
from .streamed import Stream

SLOTS = 2


@dataclass(frozen=True)
class Held:
    """The same samples as rows: inputs [2 C, V] and targets [2 C, T], which lie column by column."""

    inputs: Tensor
    targets: Tensor


class Ring(ABC):
    """Samples of two windows of a stream: `inputs` [V, 2 C] and `targets` [T, 2 C], C the largest window.

    `samples` are the same. Raises UserError where there is no memory for them.
    """

    def __init__(self, stream: Stream, order: Order, capacity: int) -> None:
        self.stream, self.order, self.capacity = stream, order, capacity
        size, device = SLOTS * capacity, stream.device
        what = f"data=stream, with two windows of {capacity:,} samples,"
        needed = size * stream.bytes_a_sample
        check_memory(needed, available_memory(device), what, "take a smaller data.window, or fewer columns")
        self.inputs, self.targets = stream.recipe.room(size, device=device)
        self.samples = Held(self.inputs.mT, self.targets.mT)
        self.slots: list[tuple[int, Future[None]] | None] = [None] * SLOTS
        self.copies = _Copies(stream, self.read_at_once) if device.type == "cuda" else None

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
    def parts(self, window: int) -> Iterator[tuple[int, Callable[[Tensor, Tensor], None]]]:
        """(samples, what writes them) of what a window is read in."""

    def indices(self, start: int, stop: int, places: slice = slice(None)) -> Tensor:
        """Where the samples of steps start..stop-1, at some `places` of each minibatch, will lie: [S, B]."""
        batch = self.order.batch
        found = self.windows(self.reach(start, stop)).samples(start * batch, stop - start, batch)
        return found[:, places].to(self.order.device)

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
        at = self.place(window)
        for size, write in self.parts(window):
            inputs, targets = (room[:, at : at + size] for room in (self.inputs, self.targets))
            if self.copies:
                self.copies.write(write, window % SLOTS, inputs, targets)
            else:
                write(inputs, targets)
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

    def parts(self, window: int) -> Iterator[tuple[int, Callable[[Tensor, Tensor], None]]]:
        for block in self.order.blocks_of(window):
            yield self.blocks.sizes[block], partial(self.stream.write, block)


class StepRing(Ring):
    """A ring of windows of so many steps, whose samples are read one by one."""

    def __init__(self, stream: Stream, order: Order, window: int) -> None:
        self.steps = max(2, window // order.batch)
        super().__init__(stream, order, self.steps * order.batch)

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

    def windows(self, which: range) -> Windows:
        here = torch.tensor([*which])
        sizes, places = torch.full_like(here, self.capacity), torch.tensor(list(map(self.place, which)))
        first = torch.arange(len(which) + 1)
        nothing = here.new_empty(0, 4)
        return Windows(here * self.capacity, sizes, nothing, first, torch.zeros_like(here), places)

    def parts(self, window: int) -> Iterator[tuple[int, Callable[[Tensor, Tensor], None]]]:
        samples = self.order.indices(window * self.steps, (window + 1) * self.steps).flatten().cpu()
        yield self.capacity, partial(self.stream.scattered, samples)


class _Copies:
    """Copies from the host's pinned memory to a CUDA device beside what is computed there."""

    def __init__(self, stream: Stream, most: int) -> None:
        self.stream = stream
        self.pinned = stream.recipe.room(most, pin_memory=True)
        self.side = torch.cuda.Stream(stream.device)
        self.freed = [torch.cuda.Event() for _ in range(SLOTS)]
        self.copied = [torch.cuda.Event() for _ in range(SLOTS)]

    def free(self, slot: int) -> None:
        """What was computed so far may have read the slot; nothing after this will, until it has arrived."""
        self.freed[slot].record(torch.cuda.current_stream(self.stream.device))

    def write(self, write: Callable[[Tensor, Tensor], None], slot: int, *parts: Tensor) -> None:
        """Reads samples, and copies them into the parts of a slot."""
        held = [room[:, : part.shape[1]] for room, part in zip(self.pinned, parts, strict=True)]
        write(held[0], held[1])
        with torch.cuda.stream(self.side):
            self.side.wait_event(self.freed[slot])
            for room, part in zip(held, parts, strict=True):
                part.copy_(room, non_blocking=True)
            self.copied[slot].record(self.side)
        self.side.synchronize()  # the pinned memory is written again

    def arrived(self, slot: int) -> None:
        """What is computed from now on waits for the copies into the slot."""
        torch.cuda.current_stream(self.stream.device).wait_event(self.copied[slot])


def ring_of(stream: Stream, order: Order) -> Ring:
    """The ring of a stream in this order, which all engines share that train on it.

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
    ...     ring_of(train.stream, order).inputs[0, :3].tolist()
    [0.0, 1.0, 2.0]
    """
    key = "ring", order.batch
    if key not in stream.kept:
        by_blocks = isinstance(order, BlockOrder)
        stream.kept[key] = BlockRing(stream, order) if by_blocks else StepRing(stream, order, stream.window)
    return stream.kept[key]
