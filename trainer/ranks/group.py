"""The ranks that train together, and what goes between them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process is `rank` of `size`; rank 0 decides, the others follow.

    What is shared out has a number from 0, as runs and blocks of samples have: each rank has some in a row.
    A sum is added in that order at every rank, so that its bits don't depend on how many there are.
    """

    rank: int
    size: int

    @property
    def first(self) -> bool:
        """Whether this rank decides."""
        return self.rank == 0

    def shares(self, count: int) -> list[range]:
        """Which of `count` things each rank has: as even as it goes, in order, the first never less.

        >>> Ranks(rank=0, size=3).shares(7)
        [range(0, 3), range(3, 5), range(5, 7)]
        """
        bounds = [-(-count * rank // self.size) for rank in range(self.size + 1)]
        return [range(start, stop) for start, stop in pairwise(bounds)]

    def own(self, count: int) -> range:
        """Which of `count` things this rank has.

        >>> Ranks(rank=1, size=3).own(7)
        range(3, 5)
        """
        return self.shares(count)[self.rank]

    def everywhere(self, part: Tensor, count: int) -> Tensor:
        """What each rank has of `count` things, [own, ...] -> all of them, [count, ...], at every rank.

        >>> Ranks(rank=0, size=1).everywhere(torch.ones(2, 3), 2).shape
        torch.Size([2, 3])
        """
        if self.size == 1:
            return part
        shares = self.shares(count)
        most = max(map(len, shares))
        sent = part.new_zeros(most, *part.shape[1:], device=self._device(part))
        sent[: len(part)] = part
        by_rank = list(sent.new_empty(self.size, most, *part.shape[1:]))
        dist.all_gather(by_rank, sent)
        whole = torch.cat([of_rank[: len(share)] for of_rank, share in zip(by_rank, shares, strict=True)])
        return whole.to(part.device)

    def told(self, something: Any) -> Any:
        """What the first rank gives, at every rank: any object that pickle takes.

        >>> Ranks(rank=0, size=1).told("go on")
        'go on'
        """
        if self.size == 1:
            return something
        found = [something]
        dist.broadcast_object_list(found, 0, device=torch.device("cpu"))
        return found[0]

    def _device(self, part: Tensor) -> torch.device:
        """Where `part` can be gathered: NCCL takes it on the GPU, gloo on the CPU."""
        return part.device if "nccl" in str(dist.get_backend_config()) else torch.device("cpu")


ALONE = Ranks(rank=0, size=1)
