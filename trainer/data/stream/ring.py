"""Two windows of a stream's samples in memory: one that is trained on, and the next, which is being read."""

from concurrent.futures import Future
from dataclasses import dataclass

import torch
from torch import Tensor

from ....kernels.random.windows import Windows
from ..memory import available_memory, check_memory
from ..order import BlockOrder
from .streamed import Stream

SLOTS = 2


@dataclass(frozen=True)
class Held:
    """The same samples as rows: inputs [2 C, V] and targets [2 C, T], which lie column by column."""

    inputs: Tensor
    targets: Tensor


class Ring:
    """Samples of two windows of an `order`: `inputs` [V, 2 C] and `targets` [T, 2 C], C the largest window.

    `samples` are the same. Raises UserError where there is no memory for them.
    """

    def __init__(self, stream: Stream, order: BlockOrder) -> None:
        self.stream, self.order = stream, order
        self.capacity = order.blocks.largest
        size, device = SLOTS * self.capacity, stream.device
        what = f"data=stream, with two windows of {self.capacity:,} samples,"
        needed = size * stream.bytes_a_sample
        check_memory(needed, available_memory(device), what, "take a smaller data.window, or fewer columns")
        self.inputs, self.targets = stream.recipe.room(size, device=device)
        self.samples = Held(self.inputs.mT, self.targets.mT)
        self.slots: list[tuple[int, Future[None]] | None] = [None] * SLOTS
        self.copies = _Copies(stream, max(order.blocks.sizes)) if device.type == "cuda" else None

    @property
    def most_steps(self) -> int:
        """How many steps reach into half a window at most: so that the other half is read meanwhile."""
        return max(1, self.order.blocks.smallest // (2 * self.order.batch))

    def within(self, step: int) -> int:
        """The end of the steps from `step` on that one window serves; a step that needs two is alone."""
        return max(
            step + 1, self.order.end(self.order.window_of(step * self.order.batch)) // self.order.batch
        )

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

    def windows(self, which: range) -> Windows:
        """Where the samples of these windows lie here, for compiled code."""
        return self.order.windows(which, lambda window: window % SLOTS * self.capacity)

    def indices(self, start: int, stop: int) -> Tensor:
        """Where the samples of steps start..stop-1 will lie here: [S, B]."""
        order = self.order
        windows = self.windows(order.reach(start, stop))
        return windows.samples(start * order.batch, stop - start, order.batch).to(order.device)

    def _coming(self, window: int) -> Future[None]:
        slot = window % SLOTS
        held = self.slots[slot]
        if held is None or held[0] != window:
            if self.copies:
                self.copies.free(slot)
            held = self.slots[slot] = window, self.stream.source.later(self._read, window)
        return held[1]

    def _read(self, window: int) -> None:
        """Reads a window into its slot, block after block."""
        self.stream.source.check()
        slot = window % SLOTS
        at = slot * self.capacity
        for block in self.order.blocks_of(window):
            end = at + self.order.blocks.sizes[block]
            parts = self.inputs[:, at:end], self.targets[:, at:end]
            if self.copies:
                self.copies.write(block, slot, *parts)
            else:
                self.stream.write(block, parts[0], parts[1])
            at = end
        self.stream.source.check()


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

    def write(self, block: int, slot: int, *parts: Tensor) -> None:
        """Reads a block, and copies it into the parts of a slot."""
        held = [room[:, : part.shape[1]] for room, part in zip(self.pinned, parts, strict=True)]
        self.stream.write(block, held[0], held[1])
        with torch.cuda.stream(self.side):
            self.side.wait_event(self.freed[slot])
            for room, part in zip(held, parts, strict=True):
                part.copy_(room, non_blocking=True)
            self.copied[slot].record(self.side)
        self.side.synchronize()  # the pinned memory is written again

    def arrived(self, slot: int) -> None:
        """What is computed from now on waits for the copies into the slot."""
        torch.cuda.current_stream(self.stream.device).wait_event(self.copied[slot])


def ring_of(stream: Stream, order: BlockOrder) -> Ring:
    """The ring of a stream in this order, which all engines share that train on it."""
    ring = stream.kept.get("ring")
    if ring is None or (ring.order.batch, ring.order.blocks) != (order.batch, order.blocks):
        ring = stream.kept["ring"] = Ring(stream, order)
    return ring
