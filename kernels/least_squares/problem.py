"""What R fits are fitted to, by which rules, and the protocol of what fits them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import torch
from torch import Tensor

from ..common.segments import Segments
from ..equations.robust import TINY
from ..sums import sum_in_order
from .robust import RobustLoss

TOGETHER = 1 << 18  # samples of fits that are stacked at a time
Record = TypeVar("Record", bound=Any)


@dataclass(frozen=True)
class Problem:
    """Samples: inputs [N, V] or [R, N, V], targets [N, T] or [R, N, T], weights None, [N] or [R, N].

    With `segments` inputs, targets and weights are [N, ...] of all fits, of which each has its own segment.
    The fits minimize |e|^2, e = sqrt(w) (y - t), or 2 sum l(e) where there is a `loss` l; what is said of
    |e|^2 is then said of that.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None
    loss: RobustLoss | None = field(default=None, kw_only=True)
    segments: Segments | None = field(default=None, kw_only=True)

    @property
    def rows(self) -> int:
        """N T, the length of e; of fits of unlike size that of the longest."""
        samples = self.segments.most if self.segments else self.targets.shape[-2]
        return samples * self.targets.shape[-1]

    def each(self, function: Callable[..., Any], *of_fits: Any) -> Any:
        """function(problem, *of_fits), for fits of equal size at a time where they are of unlike size.

        `of_fits` are tensors [R, ...], or what has `of`, as Rules have. The function gives a tensor [R, ...],
        or a tuple of them.
        """
        if self.segments is None:
            return function(self, *of_fits)
        some, results = [], []
        nobody = self.segments.counts.new_empty(0)
        parts = self.segments.by_size(TOGETHER) if len(self.segments) else [(nobody, nobody[:, None])]
        for runs, places in parts:
            own = (part[runs] if isinstance(part, Tensor) else part.of(runs) for part in of_fits)
            results.append(function(self._stacked(runs, places), *own))
            some.append(runs)
        order = torch.cat(some).argsort()
        if isinstance(results[0], Tensor):
            return torch.cat(results)[order]
        return type(results[0])(*(torch.cat(parts)[order] for parts in zip(*results, strict=True)))

    def _stacked(self, runs: Tensor, places: Tensor) -> "Problem":
        """The samples at `places` [K, n] of the fits `runs` [K], as [K, n, ...]."""
        weights = None if self.weights is None else self.weights[places]
        loss = self.loss and self.loss.of(runs)
        return Problem(self.inputs[places], self.targets[places], weights, loss=loss)

    def places(self, runs: int) -> Tensor:
        """Where the samples of each of R fits begin in inputs, targets and weights, and how many: [R, 4].

        Where fits have samples of their own, these are counted as if all lay one after another.

        >>> import torch
        >>> from packtrain.kernels.least_squares import Problem
        >>> Problem(torch.zeros(3, 1), torch.zeros(2, 3, 1)).places(2)
        tensor([[0, 0, 0, 3],
                [0, 3, 0, 3]])
        """
        if self.segments is not None:
            starts, counts = self.segments.starts, self.segments.counts
            return torch.stack([starts, starts, starts, counts], 1)
        samples, run = self.targets.shape[-2], torch.arange(runs, device=self.targets.device)
        own_weights = self.weights is not None and self.weights.dim() == 2
        own = self.inputs.dim() == 3, self.targets.dim() == 3, own_weights
        starts = [run * (samples if is_own else 0) for is_own in own]
        return torch.stack([*starts, torch.full_like(run, samples)], 1)

    @property
    def size(self) -> Tensor:
        """|sqrt(w) t|, [] or [R], in float64: it sets the rounding error of |e|^2.

        Of a loss l it is sqrt(l''(0)) as much, as if all errors were small.
        """
        return self.each(Problem._size)

    def _size(self) -> Tensor:
        squares = self.targets.double().square().sum(-1)
        size = sum_in_order(squares if self.weights is None else self.weights * squares).sqrt()
        return size if self.loss is None else size * self.loss.at(TINY)[2].sqrt()

    def of(self, runs: Tensor) -> "Problem":
        """The samples of these runs; those that the runs share stay as they are."""
        if self.segments is not None:
            return replace(self, segments=self.segments.of(runs), loss=self.loss and self.loss.of(runs))
        inputs = self.inputs[runs] if self.inputs.dim() == 3 else self.inputs
        targets = self.targets[runs] if self.targets.dim() == 3 else self.targets
        per_run = self.weights is not None and self.weights.dim() == 2
        weights = self.weights[runs] if per_run and self.weights is not None else self.weights
        return Problem(inputs, targets, weights, loss=self.loss and self.loss.of(runs))

    def double(self) -> Self:
        """The same in float64."""
        return replace(self, inputs=self.inputs.double(), targets=self.targets.double())

    def part(self, samples: slice) -> Self:
        """Some of the samples."""
        weights = None if self.weights is None else self.weights[..., samples]
        inputs, targets = self.inputs[..., samples, :], self.targets[..., samples, :]
        return replace(self, inputs=inputs, targets=targets, weights=weights)


@dataclass(frozen=True)
class Rules:
    """The tolerances and constraints of R fits, in float64.

    `ftol`, `xtol`, `gtol` [R] are MINPACK's tolerances. `radius` [R] is its `factor`: the first trust
    radius, in units of the scaled parameters, or of a thousandth of `size` where that is more. `lower`,
    `upper` [R, P] are bounds, `free` [R, P] says which parameters are fitted; `steps` [R] is the most
    trial steps, `size` [R] is Problem.size.
    """

    ftol: Tensor
    xtol: Tensor
    gtol: Tensor
    radius: Tensor
    lower: Tensor
    upper: Tensor
    free: Tensor
    steps: Tensor
    size: Tensor

    @classmethod
    def unbounded(
        cls,
        problem: Problem,
        parameters: Tensor,
        tolerance: float = 1e-8,
        radius: float = 100,
        steps: int = 200,
    ) -> Self:
        """Rules for fits from `parameters` [R, P] that are all free and have no bounds.

        >>> import torch
        >>> from packtrain.kernels.least_squares import Problem, Rules
        >>> Rules.unbounded(Problem(torch.zeros(4, 1), torch.ones(4, 1)), torch.zeros(1, 2)).size
        tensor([2.], dtype=torch.float64)
        """
        runs = len(parameters)
        bound = parameters.new_full(parameters.shape, torch.inf, dtype=torch.float64)
        tol = bound.new_full((runs,), tolerance)
        return cls(
            ftol=tol,
            xtol=tol,
            gtol=tol,
            radius=torch.full_like(tol, radius),
            lower=-bound,
            upper=bound,
            free=torch.ones_like(bound, dtype=torch.bool),
            steps=torch.full_like(tol, steps, dtype=torch.int64),
            size=problem.size.expand(runs).clone(),
        )

    def of(self, runs: Tensor) -> Self:
        """The rules of these runs."""
        return of_runs(self, runs)

    def movable(self, parameters: Tensor, gradient: Tensor) -> Tensor:
        """Which free parameters [R, P] may move: not those at a bound that a step along -gradient crosses."""
        at_lower = (parameters <= self.lower) & (gradient > 0)
        at_upper = (parameters >= self.upper) & (gradient < 0)
        return self.free & ~(at_lower | at_upper)


def of_runs(record: Record, runs: Tensor) -> Record:
    """A dataclass of tensors [R, ...] -> the same of these runs.

    >>> import torch
    >>> from packtrain.kernels.least_squares.problem import Trials, of_runs
    >>> of_runs(Trials(*torch.arange(15).view(5, 3)), torch.tensor([2, 0])).damping
    tensor([11,  9])
    """
    return type(record)(**{field.name: getattr(record, field.name)[runs] for field in fields(record)})


class Linear(NamedTuple):
    """e(p + s) ~ e + J s of R fits, in float64: `rss` [R] is |e|^2, `root` [R, P, P] A, `projected` [R, P] c.

    A is upper triangular, A^T A = J^T J and A^T c = J^T e, so that |J s + e|^2 = |A s + c|^2 + a
    constant. `rss` is infinite where a residual or a derivative is not finite.
    """

    rss: Tensor
    root: Tensor
    projected: Tensor


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


class Solver(Protocol):
    """R fits that are advanced in place: `parameters` [R, P]; `steps_done` [R] counts their trial steps.

    Its parameters are changed in their own memory, which a model may share.
    """

    parameters: Tensor
    steps_done: Tensor

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that changes: tensors [R, ...] by name, which are written to restore it."""
        ...

    @property
    def status(self) -> Tensor:
        """A Status for each run, [R]."""
        ...

    @property
    def scale(self) -> Tensor:
        """The largest norm so far of each column of the Jacobian, [R, P]."""
        ...

    def advance(self, count: int) -> Trials:
        """Makes up to `count` trial steps of every running fit."""
        ...

    def solutions(self) -> Iterator[tuple[Tensor, Linear]]:
        """The runs [K], some at a time or all, and their linear problems at `parameters`, in float64."""
        ...
