"""The order of minibatches: which samples each step sees, as a function of the step alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.random import Purpose, permutation


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
