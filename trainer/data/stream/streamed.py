"""A data set that stays in its files: samples are read when they are needed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ..dataset import Dataset
from ..order import Blocks
from .places import readable
from .recipe import Recipe
from .room import Room
from .source import Source
from .stored import Piece


class Stream:
    """The rows in `blocks` of a source as samples, one block after another, made by a recipe, on a device."""

    def __init__(
        self, source: Source, recipe: Recipe, blocks: Sequence[range], window: int, device: torch.device
    ) -> None:
        self.source, self.recipe, self.spans, self.device = source, recipe, blocks, device
        self.blocks, self.window = Blocks.of(tuple(map(len, blocks)), window), window
        self.starts = list(accumulate(self.blocks.sizes, initial=0))
        self.kept: dict[Any, Any] = {}  # what was made of it once, and is good as long as the stream is

    def __len__(self) -> int:
        return self.starts[-1]

    @cached_property
    def bytes_a_sample(self) -> int:
        """What a sample takes in memory."""
        return self.recipe.room(1).nbytes

    @cached_property
    def lies_apart(self) -> bool:
        """Whether single samples are read without those beside them."""
        return all(file.lies_apart(self.recipe.names) for file in self.source.files)

    def expect(self, block: int) -> None:
        """Lets the system bring a block from the disk meanwhile."""
        span = self.spans[block]
        for file, begin, end in self.source.parts(span.start, span.stop):
            file.expect(self.recipe.names, begin, end)

    def write(self, block: int, room: Room, first: int = 0, stop: int | None = None) -> None:
        """Writes samples first..stop-1 of a block into room on the CPU."""
        span, names = self.spans[block], self.recipe.names
        rows = span.start + first, span.stop if stop is None else span.start + stop
        at = 0
        for file, begin, end in self.source.parts(*rows):
            part = room.part(at, at + end - begin)
            at += len(part)
            with readable(file.place.path):
                straight = part.rows if self.recipe.plain else None
                if straight is not None and file.into(names, begin, end, straight.numpy()):
                    continue
                piece = Piece(file.place, begin, file.read(names, begin, end))
            self.recipe.write(piece, part)

    def samples(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Inputs [n, V] and targets [n, T] of samples start..stop-1, on the device."""
        room = self.recipe.room(stop - start)
        for block, first, end in self.overlapping(start, stop):
            at = self.starts[block] + first - start
            self.write(block, room.part(at, at + end - first), first, end)
        return self._on_device(room)

    def overlapping(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(block, its first sample, and its end) of what samples start..stop-1 are in."""
        for block in range(bisect_right(self.starts, start) - 1, bisect_left(self.starts, stop)):
            begin = self.starts[block]
            yield block, max(0, start - begin), min(self.blocks.sizes[block], stop - begin)

    def chosen(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs [n, V] and targets [n, T] of the samples at these places, whose blocks are read whole."""
        room = self.recipe.room(len(places))
        self.pick(places, room)
        return self._on_device(room)

    def pick(self, places: Tensor, room: Room) -> None:
        """Writes the samples at these places, whose blocks are read whole, into room on the CPU."""
        for block in torch.bucketize(places, torch.tensor(self.starts), right=True).sub(1).unique().tolist():
            size, begin = self.blocks.sizes[block], self.starts[block]
            of_block = self.recipe.room(size)
            self.write(block, of_block)
            here = ((places >= begin) & (places < begin + size)).nonzero()[:, 0]
            room.put(here, of_block, places[here] - begin)

    def scattered(self, places: Tensor, room: Room) -> None:
        """Writes the samples at single places into room on the CPU."""
        rows, order = self.rows(places).sort()
        found = self.recipe.room(len(places))
        at = 0
        for piece in self.source.scattered(self.recipe.names, rows.numpy()):
            end = at + len(piece)
            self.recipe.write(piece, found.part(at, end))
            at = end
        room.put(order, found)

    def rows(self, places: Tensor) -> Tensor:
        """The rows in all files, from 0, of the samples at these places."""
        starts = torch.tensor(self.starts)
        block = torch.bucketize(places, starts, right=True) - 1
        return torch.tensor([span.start for span in self.spans])[block] + places - starts[block]

    def stretch(self, start: int, stop: int) -> Tensor:
        """The rows in all files of samples start..stop-1."""
        parts = self.overlapping(start, stop)
        rows = (
            (self.spans[block].start + first, self.spans[block].start + end) for block, first, end in parts
        )
        return torch.cat([torch.arange(0), *(torch.arange(*pair) for pair in rows)])

    def _on_device(self, room: Room) -> tuple[Tensor, Tensor]:
        return room.inputs.to(self.device).contiguous(), room.targets.to(self.device).contiguous()


@dataclass(frozen=True)
class Streamed(Dataset):
    """See Dataset; N samples of a `stream`, of which `inputs` and `targets` hold some of the first alone."""

    stream: Stream = field(kw_only=True)

    def __len__(self) -> int:
        return len(self.stream)

    @property
    def streamed(self) -> bool:
        return True

    @property
    def identity(self) -> str:
        recipe, spans = self.stream.recipe, self.stream.spans
        labels = None if recipe.labels is None else recipe.labels.tolist()
        return f"{self.stream.source.identity()} {spans} {recipe.names} {recipe.dtype} {labels}"

    @property
    def counted(self) -> "Streamed":
        return self

    def part(self, index: Tensor | slice) -> Dataset:
        """The samples at `index`, in memory."""
        if isinstance(index, slice):
            start, stop, stride = index.indices(len(self))
            assert stride == 1
            inputs, targets = self.stream.source.later(self.stream.samples, start, stop).result()
            return self._with(inputs, targets, start)
        places = index.nonzero()[:, 0] if index.dtype == torch.bool else index
        inputs, targets = self.stream.source.later(self.stream.chosen, places.cpu()).result()
        return self._with(inputs, targets, places.cpu())

    def in_blocks(self, size: int) -> Iterator[Dataset]:
        """Parts of `size` samples, while the next one is being read."""
        self.stream.source.check()
        bounds = [*range(0, len(self), size), len(self)]
        read = self.stream.source.later
        coming = read(self.stream.samples, *bounds[:2])
        for part, start in enumerate(bounds[:-1]):
            inputs, targets = coming.result()
            if part + 2 < len(bounds):
                coming = read(self.stream.samples, *bounds[part + 1 : part + 3])
            yield self._with(inputs, targets, start)

    def target_blocks(self, size: int) -> Iterator[Tensor]:
        return (part.targets for part in self.in_blocks(size))

    def some(self, most: int) -> Dataset:
        """At most so many of the samples that are in memory."""
        return self._with(self.inputs, self.targets, 0).some(most)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Streamed":
        assert (device, dtype) == (self.stream.device, self.stream.recipe.dtype)
        return self

    def resident(self) -> Dataset:
        """All samples in memory, in the order in which they stand, and shuffled as the stream is."""
        whole = self.part(slice(0, len(self)))
        return replace(whole, blocks=self.stream.blocks)  # of which `part` knows nothing

    def _with(self, inputs: Tensor, targets: Tensor, places: Tensor | int) -> Dataset:
        at_once = isinstance(places, int)
        rows = self.stream.stretch(places, places + len(inputs)) if at_once else self.stream.rows(places)
        own = {each.name: getattr(self, each.name) for each in fields(Dataset)}
        return Dataset(**{**own, "inputs": inputs, "targets": targets, "rows": rows})
