"""Where samples of a stream lie in memory, one after another: rows of inputs and targets."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Room:
    """N samples: `inputs` [N, V] and `targets` [N, T], in `rows` [N, V + T] where they are of one type.

    So a sample lies in one place: it is read and taken as a whole.
    """

    inputs: Tensor
    targets: Tensor
    rows: Tensor | None = None

    @classmethod
    def of(cls, samples: int, inputs: int, targets: int, *dtypes: torch.dtype, **options: Any) -> "Room":
        """For so many samples, of so many inputs and targets of two types.

        >>> from packtrain.trainer.data.stream.room import Room
        >>> room = Room.of(5, 2, 1, torch.float32, torch.float32)
        >>> room.inputs.shape, room.part(1, 3).rows.shape, room.nbytes
        (torch.Size([5, 2]), torch.Size([2, 3]), 60)
        """
        if dtypes[0] != dtypes[1]:
            columns = zip((inputs, targets), dtypes, strict=True)
            return cls(*(torch.empty(samples, count, dtype=dtype, **options) for count, dtype in columns))
        rows = torch.empty(samples, inputs + targets, dtype=dtypes[0], **options)
        return cls(rows[:, :inputs], rows[:, inputs:], rows)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What it consists of: one tensor, or two."""
        return (self.inputs, self.targets) if self.rows is None else (self.rows,)

    @property
    def nbytes(self) -> int:
        """The bytes of all samples."""
        return sum(part.numel() * part.itemsize for part in self.tensors)

    def part(self, start: int, stop: int) -> "Room":
        """Samples start..stop-1, in the same memory."""
        rows = None if self.rows is None else self.rows[start:stop]
        return Room(self.inputs[start:stop], self.targets[start:stop], rows)

    def put(self, places: Tensor, samples: "Room", which: Tensor | None = None) -> None:
        """Takes the samples, or `which` of them, to these places."""
        for own, part in zip(self.tensors, samples.tensors, strict=True):
            own[places] = part if which is None else part[which]
