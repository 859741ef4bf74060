"""What every optimizer is to an engine: a table of what depends on the step, and an update."""

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

State = dict[str, Tensor]
Hyper = Callable[[str], Tensor]  # the name of a hyperparameter -> its value in each run, [R] float64


class Optimizer(Protocol):
    """R optimizers at once. Every hyperparameter is a tensor [R]; the state is tensors [R, P] by name.

    A compiled update takes the `kind` and the `constants` [R, C], which don't depend on the step.
    """

    kind: str
    constants: Tensor

    def start(self, parameters: Tensor) -> State:
        """The state before the first step, for parameters [R, P]."""
        ...

    def table(self, lr: Tensor, step: Tensor) -> Tensor:
        """What depends on the step alone: lr [S, R], step [S] from 0 -> coefficients [S, K, R]."""
        ...

    def update(
        self, parameters: Tensor, gradient: Tensor, state: Mapping[str, Tensor], now: Tensor
    ) -> tuple[Tensor, State]:
        """The new parameters [R, P] and state, from one step's coefficients `now` [K, R, 1]."""
        ...


def column(values: Tensor, like: Tensor) -> Tensor:
    """[R] -> [R, 1] in the dtype of the parameters, `like`.

    >>> import torch
    >>> from packtrain.trainer.optimizers.base import column
    >>> column(torch.tensor([1.0, 2.0], dtype=torch.float64), torch.zeros(2, 5))
    tensor([[1.],
            [2.]])
    """
    return values.to(like.dtype)[:, None]
