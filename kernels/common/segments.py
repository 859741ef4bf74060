"""Samples of many groups, one after another: which of them each of R runs has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Run r has the samples starts[r] .. starts[r] + counts[r] - 1: both [R], of int64, on one device.

    >>> import torch
    >>> from packtrain.kernels.common.segments import Segments
    >>> segments = Segments.after_another(torch.tensor([2, 3]))
    >>> segments.starts.tolist(), len(segments), segments.most
    ([0, 2], 2, 3)
    """

    starts: Tensor
    counts: Tensor

    @classmethod
    def after_another(cls, counts: Tensor) -> Self:
        """Segments of these sizes [R], without gaps."""
        return cls(counts.cumsum(0) - counts, counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def most(self) -> int:
        """The most samples of a run."""
        return int(self.counts.max())

    def of(self, runs: Tensor) -> Self:
        """Those of these runs: indices, or a mask [R]."""
        return type(self)(self.starts[runs], self.counts[runs])

    def to(self, device: torch.device) -> Self:
        """The same on `device`."""
        return type(self)(self.starts.to(device), self.counts.to(device))

    def kept(self, mask: Tensor) -> Self:
        """The segments of what is left where a mask [N] takes samples out."""
        before = torch.nn.functional.pad(mask.long().cumsum(0), (1, 0)).to(self.starts.device)
        starts = before[self.starts]
        return type(self)(starts, before[self.starts + self.counts] - starts)

    def sizes(self) -> Iterator[tuple[Tensor, int]]:
        """Runs [K] that have n samples each, and n: each n in turn.

        >>> import torch
        >>> from packtrain.kernels.common.segments import Segments
        >>> [(runs.tolist(), n) for runs, n in Segments.after_another(torch.tensor([1, 2, 1])).sizes()]
        [([0, 2], 1), ([1], 2)]
        """
        order = self.counts.argsort(stable=True)
        sizes, runs = self.counts[order].unique_consecutive(return_counts=True)
        yield from zip(order.split(runs.tolist()), sizes.tolist(), strict=True)

    def by_size(self, most: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Runs [K] that have n samples each, and the places of those, [K, n]: each n in turn.

        With `most` they are so many samples at a time, or one run.

        >>> import torch
        >>> from packtrain.kernels.common.segments import Segments
        >>> segments = Segments.after_another(torch.tensor([1, 2, 1]))
        >>> [(runs.tolist(), places.tolist()) for runs, places in segments.by_size()]
        [([0, 2], [[0], [3]]), ([1], [[1, 2]])]
        """
        for runs, size in self.sizes():
            for some in runs.split(max(1, most // max(1, size)) if most else len(runs)):
                yield some, self.starts[some, None] + torch.arange(size, device=some.device)
