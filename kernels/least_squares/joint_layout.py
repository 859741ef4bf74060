"""Which runs make which joint fit, and in which order sums over them are taken."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .numba_joint import BLOCK


@dataclass(frozen=True)
class Layout:
    """A groups of K joint fits: `runs` [A], sorted by their joint fit, which is `owner` [A], 0 to K - 1.

    They are cut into B blocks of up to BLOCK groups: `bounds` [B + 1] is where each begins, `block_owner` [B]
    its joint fit, and `first` [K + 1] the first block of each joint fit; `leaders` [K] is its first group.

    >>> import torch
    >>> from packtrain.kernels.least_squares.joint_layout import Layout
    >>> layout = Layout.of(torch.tensor([0, 1, 2, 3]), joint=torch.tensor([5, 7, 5, 7]))
    >>> layout.runs.tolist(), layout.owner.tolist(), layout.bounds.tolist()
    ([0, 2, 1, 3], [0, 0, 1, 1], [0, 2, 4])
    """

    runs: Tensor
    owner: Tensor
    leaders: Tensor
    bounds: np.ndarray
    block_owner: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, runs: Tensor, joint: Tensor) -> Self:
        """The layout of `runs` [A], ascending, of which each belongs to the joint fit `joint` [A]."""
        order = torch.argsort(joint, stable=True)
        _, owner, counts = torch.unique_consecutive(joint[order], return_inverse=True, return_counts=True)
        groups = counts.numpy()
        leaders = np.cumsum(groups) - groups
        blocks = -(-groups // BLOCK)
        first = np.concatenate([[0], np.cumsum(blocks)])
        starts = [begin + BLOCK * np.arange(count) for begin, count in zip(leaders, blocks, strict=True)]
        return cls(
            runs=runs[order],
            owner=owner,
            leaders=torch.from_numpy(leaders),
            bounds=np.concatenate([*starts, [len(runs)]]).astype(np.int64),
            block_owner=np.repeat(np.arange(len(groups)), blocks),
            first=first.astype(np.int64),
        )

    def blocks_of(self, fits: Tensor) -> np.ndarray:
        """The blocks of the joint fits that are marked, [K] of bool."""
        marked = fits.numpy()
        return np.arange(len(self.block_owner)) if marked.all() else marked[self.block_owner].nonzero()[0]

    def sums(self, parts: np.ndarray) -> Tensor:
        """The sums over the blocks of each joint fit, in their order: [B, M] -> [K, M]."""
        return torch.from_numpy(np.add.reduceat(parts, self.first[:-1], axis=0))

    def total(self, values: np.ndarray) -> Tensor:
        """The sums over the groups of each joint fit, in their order: [A] -> [K]."""
        return torch.from_numpy(np.add.reduceat(values, self.leaders.numpy()))

    def largest(self, parts: np.ndarray) -> Tensor:
        """The largest over the blocks of each joint fit: [B] -> [K]."""
        return torch.from_numpy(np.maximum.reduceat(parts, self.first[:-1]))
