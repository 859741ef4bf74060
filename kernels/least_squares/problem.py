"""What R fits are fitted to, and what they go by."""

from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

from torch import Tensor

Record = TypeVar("Record", bound=Any)


@dataclass(frozen=True)
class Problem:
    """Samples: inputs [N, V] or [R, N, V], targets [N, T] or [R, N, T], weights None, [N] or [R, N].

    What the fits make small is |e|^2, e = sqrt(w) (y - t).
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None

    @property
    def rows(self) -> int:
        """N T, the length of e."""
        return self.targets.shape[-2] * self.targets.shape[-1]

    @property
    def size(self) -> Tensor:
        """|sqrt(w) t|, [] or [R], in float64: how finely a sum of squares is rounded."""
        squares = self.targets.double().square().sum(-1)
        return (squares if self.weights is None else self.weights * squares).sum(-1).sqrt()

    def of(self, runs: Tensor) -> "Problem":
        """The samples of these runs; those that the runs share stay as they are."""
        inputs = self.inputs[runs] if self.inputs.dim() == 3 else self.inputs
        targets = self.targets[runs] if self.targets.dim() == 3 else self.targets
        per_run = self.weights is not None and self.weights.dim() == 2
        return Problem(
            inputs, targets, self.weights[runs] if per_run and self.weights is not None else self.weights
        )

    def double(self) -> "Problem":
        """The same in float64."""
        return Problem(self.inputs.double(), self.targets.double(), self.weights)

    def part(self, samples: slice) -> "Problem":
        """Some of the samples."""
        weights = None if self.weights is None else self.weights[..., samples]
        return Problem(self.inputs[..., samples, :], self.targets[..., samples, :], weights)


@dataclass(frozen=True)
class Rules:
    """What R fits go by, in float64.

    `ftol`, `xtol`, `gtol` [R] are MINPACK's tolerances, `radius` [R] its `factor`: the first trust
    radius, relative to the scaled parameters, or to a thousandth of `size` where that is more.
    `lower`, `upper` [R, P] are bounds, `moves` [R, P] says which parameters may change; `steps` [R] is
    the most trial steps, `size` [R] is Problem.size.
    """

    ftol: Tensor
    xtol: Tensor
    gtol: Tensor
    radius: Tensor
    lower: Tensor
    upper: Tensor
    moves: Tensor
    steps: Tensor
    size: Tensor

    def of(self, runs: Tensor) -> Self:
        """The rules of these runs."""
        return of_runs(self, runs)


def of_runs(record: Record, runs: Tensor) -> Record:
    """A dataclass of tensors [R, ...] -> the same of these runs."""
    return type(record)(**{each.name: getattr(record, each.name)[runs] for each in fields(record)})


@dataclass(frozen=True)
class Trials:
    """S trial steps of the K fits `runs` [K], as they stood before each: NaN where a fit had ended.

    `rss`, `gradient` (|J^T e|) and `damping` [S, K], `parameters` [S, K, P].
    """

    runs: Tensor
    rss: Tensor
    gradient: Tensor
    damping: Tensor
    parameters: Tensor
