"""The interface of engines, and the history that each slice of steps hands over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from ..data.order import Order
from ..models.base import Model
from .outcome import Ending
from .rows import Row, Rows


@dataclass(frozen=True)
class History:
    """A slice of steps of the K runs `runs` [K]: a row for each of the recorded `steps`, on the device.

    `loss` [S, K] is NaN where a run was not trained; `gradient_norm` [S, K]; `rates` [S, K] by name,
    such as the learning rate; `scalars` [S, K, C] are the parameters worth a curve, as they were before
    the step. `last` [K] is the loss of the latest step, recorded or not; `samples` counts what all runs saw.
    """

    steps: range
    runs: Tensor
    loss: Tensor
    gradient_norm: Tensor
    rates: dict[str, Tensor]
    scalars: Tensor
    last: Tensor
    samples: int


def put(memory: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    """Copies a memory into live tensors of the same names. Raises ValueError where they don't fit.

    >>> import torch
    >>> live = {"step": torch.zeros(2)}
    >>> put({"step": torch.tensor([3.0, 4.0])}, live)
    >>> live["step"].tolist()
    [3.0, 4.0]
    """
    for name, part in into.items():
        given = memory.get(name)
        if given is None or (given.dtype, given.shape) != (part.dtype, part.shape):
            raise ValueError(f"{name} has to be {part.dtype} {list(part.shape)}")
        part.copy_(given)


def recorded(start: int, stop: int, every: int) -> range:
    """The steps from start to stop - 1 that `every` divides.

    >>> list(recorded(3, 11, 5))
    [5, 10]
    """
    return range(start + -start % every, stop, every)


class Engine(Protocol):
    """Executes steps, minibatch after minibatch, on every run of a pack.

    `step` counts the steps of the pack, `steps_done` [R] those of each run, which takes `steps` [R] at most,
    each on `batches` [R] samples. `alive` [R] marks the runs that haven't diverged, `training` [R] those that
    have a step to take. `kind` and `backend` say what executes, and `capture` that the step is a static
    graph. `memory` is all that the steps change, live tensors [R, ...] by name: together with `step` enough
    to resume, bit for bit.
    """

    kind: str
    backend: str
    order: Order
    step: int
    steps: Tensor
    batches: Tensor
    capture: bool

    @property
    def model(self) -> Model: ...

    @property
    def steps_done(self) -> Tensor: ...

    @property
    def alive(self) -> Tensor: ...

    @property
    def training(self) -> Tensor: ...

    @property
    def memory(self) -> Mapping[str, Tensor]: ...

    @property
    def done(self) -> bool:
        """No run has a step to take."""
        ...

    @property
    def horizon(self) -> int:
        """The step up to which one call of `advance` may go."""
        ...

    def advance(self, until_step: int) -> History:
        """Trains every run up to `until_step` and says what happened on the way."""
        ...

    def restore(self, step: int, memory: Mapping[str, Tensor]) -> None:
        """Restores the state saved after `step` steps."""
        ...

    def endings(self, reason: str, pruned: str = "") -> list[Ending]:
        """How each run ended; `reason` is why training stopped early, `pruned` why runs were pruned."""
        ...

    def report(self, rows: Rows) -> Row:
        """Adds what it knows of each run to the rows' columns -> what it knows of all runs together."""
        ...


@runtime_checkable
class PrunableEngine(Engine, Protocol):
    """An engine that can let some of its runs go."""

    def stop(self, runs: Tensor, rung: int) -> None:
        """Lets the runs [R] that are marked go, at this rung (from 1)."""
        ...
