"""Copies of samples that were read, from the host's pinned memory to a CUDA device."""

from collections.abc import Callable

import torch

from .room import Room
from .streamed import Stream


class Copies:
    """Copies into the `slots` of a ring on a CUDA device, at `most` so many samples at a time.

    They go beside what is computed there.
    """

    def __init__(self, stream: Stream, slots: int, most: int) -> None:
        self.stream = stream
        self.pinned = stream.recipe.room(most, pin_memory=True)
        self.side = torch.cuda.Stream(stream.device)
        self.freed = [torch.cuda.Event() for _ in range(slots)]
        self.copied = [torch.cuda.Event() for _ in range(slots)]

    def free(self, slot: int) -> None:
        """What was computed so far may have read the slot; nothing after this will, until it has arrived."""
        self.freed[slot].record(torch.cuda.current_stream(self.stream.device))

    def write(self, write: Callable[[Room], None], slot: int, room: Room) -> None:
        """Reads samples, and copies them into room in a slot."""
        held = self.pinned.part(0, len(room))
        write(held)
        with torch.cuda.stream(self.side):
            self.side.wait_event(self.freed[slot])
            for part, read in zip(room.tensors, held.tensors, strict=True):
                part.copy_(read, non_blocking=True)
            self.copied[slot].record(self.side)
        self.side.synchronize()  # the pinned memory is written again

    def arrived(self, slot: int) -> None:
        """What is computed from now on waits for the copies into the slot."""
        torch.cuda.current_stream(self.stream.device).wait_event(self.copied[slot])
