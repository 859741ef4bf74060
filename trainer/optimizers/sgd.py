"""Stochastic gradient descent; with the whole data set as its batch, gradient descent."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .base import Hyper, State, column


class SGD:
    """v <- m v + g + w p;  p <- p - lr v, as torch.optim.SGD. With nesterov, p <- p - lr (g + w p + m v)."""

    kind = "sgd"

    def __init__(self, hyper: Hyper, like: Tensor) -> None:
        self.momentum = column(hyper("momentum"), like)
        self.nesterov = column(hyper("nesterov"), like) > 0
        self.weight_decay = column(hyper("weight_decay"), like)
        self.remembers = bool((self.momentum > 0).any())
        columns = self.momentum, column(hyper("nesterov"), like), self.weight_decay
        self.constants = torch.cat(columns, 1)

    def start(self, parameters: Tensor) -> State:
        """v = 0, [R, P]; no state where no run has momentum."""
        return {"velocity": torch.zeros_like(parameters)} if self.remembers else {}

    def table(self, lr: Tensor, step: Tensor) -> Tensor:
        """lr, [S, 1, R]."""
        return lr[:, None]

    def update(
        self, parameters: Tensor, gradient: Tensor, state: Mapping[str, Tensor], now: Tensor
    ) -> tuple[Tensor, State]:
        """See the class."""
        (lr,) = now
        gradient = gradient + self.weight_decay * parameters
        if not self.remembers:
            return parameters - lr * gradient, {}
        velocity = self.momentum * state["velocity"] + gradient
        ahead = torch.where(self.nesterov, gradient + self.momentum * velocity, velocity)
        return parameters - lr * ahead, {"velocity": velocity}
