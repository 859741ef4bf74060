"""What every engine is to the rest: one verb, and what it hands over."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from trainer.data.order import Order
from trainer.models.base import Model


@dataclass(frozen=True)
class History:
    """What happened in steps start..start+S-1, one row a step, on the device.

    `loss` [S, R] is NaN where a run was not trained; `gradient_norm` [S, R]; `lr` [S, R];
    `scalars` [S, R, K] are the parameters worth a curve, as they were before the step.
    """

    start: int
    loss: Tensor
    gradient_norm: Tensor
    lr: Tensor
    scalars: Tensor


class Engine(Protocol):
    """Executes steps, minibatch after minibatch, on every run of a pack.

    `step` counts the steps done, `taken` [R] those that changed each run, of the `steps` [R] it is
    to take; `alive` [R] says which haven't diverged. `capture`: the step is a static graph.
    """

    model: Model
    order: Order
    step: int
    steps: Tensor
    taken: Tensor
    alive: Tensor
    capture: bool

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go."""
        ...

    def advance(self, until_step: int) -> History:
        """Trains every run up to `until_step` and says what happened on the way."""
        ...
