"""R fits in eager torch, on any device, for any model with a Jacobian."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields

import torch
from torch import Tensor

from ..sums.blocks import Shares, cut, one_thread
from .fits import Fits
from .linearize import ALONE, BLOCK, Linearizer, OutputsAndJacobian, Squares, by_qr, is_small, linearize
from .method import Status
from .problem import Linear, Problem, Rules, Trials
from .reference import iterate

MOST_NUMBERS = 1 << 23  # in the Jacobians or the triangles of the fits that are advanced together


def together(problem: Problem, size: int) -> int:
    """How many fits of `size` parameters are linearized at a time.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, together
    >>> together(Problem(torch.zeros(1000, 1), torch.zeros(1000, 1)), size=3)
    2090
    """
    rows = min(problem.rows, BLOCK * problem.targets.shape[-1])
    return max(1, MOST_NUMBERS // ((rows + size) * (size + 1)))


class TorchSolver:
    """A Solver: fits `model` to `problem` from `parameters` [R, P], which are changed in place.

    `damped`: Levenberg-Marquardt, else Gauss-Newton. `squares` makes the normal equations of a large problem
    where it is given, and `small` linearizes small ones; else both are done by the model. `shares` say which
    parts of a large problem's samples are linearized here: all processes make their steps together.

    >>> import torch
    >>> from packtrain.kernels.least_squares import Problem, Rules, TorchSolver
    >>> line = lambda p, x: (p[:, None] * x, x.expand(len(p), -1, -1)[..., None])  # y = p x
    >>> x, p = torch.tensor([[1.0], [2.0]], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    >>> problem = Problem(x, 5 * x)
    >>> trials = TorchSolver(line, problem, p, Rules.unbounded(problem, p), damped=True).advance(20)
    >>> round(p.item(), 6)
    5.0
    """

    def __init__(
        self,
        model: OutputsAndJacobian,
        problem: Problem,
        parameters: Tensor,
        rules: Rules,
        damped: bool,
        squares: Squares | None = None,
        small: Linearizer | None = None,
        shares: Shares = ALONE,
    ) -> None:
        self.model, self.problem, self.rules, self.damped = model, problem, rules, damped
        self.squares, self.small, self.shares = squares, small, shares
        self.parameters = parameters
        self.together = self._together()
        self.steps_done = torch.zeros_like(rules.steps)
        with self._threads():
            parts = [self._start(runs) for runs in torch.arange(len(parameters)).split(self.together)]
        self.fits = Fits.join(parts)

    @property
    def status(self) -> Tensor:
        """A Status for each run, [R]."""
        return self.fits.status

    @property
    def scale(self) -> Tensor:
        """The largest norm so far of each column of the Jacobian, [R, P]."""
        return self.fits.scale

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that changes: tensors [R, ...] by name, which are written to restore it."""
        return {"taken": self.steps_done} | {f.name: getattr(self.fits, f.name) for f in fields(self.fits)}

    def advance(self, count: int) -> Trials:
        """Makes up to `count` trial steps of every running fit."""
        running = (self.status == Status.RUNNING).nonzero()[:, 0]
        rows, size = (count, len(running)), self.parameters.shape[1]
        rss, gradient, damping = (self.rules.ftol.new_full(rows, torch.nan) for _ in range(3))
        path = self.parameters.new_full((*rows, size), torch.nan)
        trials = Trials(running, rss, gradient, damping, path)
        with self._threads():
            for places in torch.arange(len(running), device=running.device).split(self.together):
                self._advance(running[places], places, trials)
        self.parameters.copy_(self.fits.parameters)
        return trials

    def solutions(self) -> Iterator[tuple[Tensor, Linear]]:
        """Some runs [K] at a time, and their linear problems at `parameters`, by QR in float64."""
        parameters, problem = self.parameters.double(), self.problem.double()
        for runs in torch.arange(len(parameters), device=parameters.device).split(self.together):
            yield runs, by_qr(self.model, parameters[runs], problem.of(runs), self.small)

    def _threads(self) -> AbstractContextManager[object]:
        """One thread where samples are shared out: how many there are changes bits of LAPACK's."""
        large = not self.problem.segments and cut(self.problem.targets.shape[-2], BLOCK).count > 1
        return one_thread() if large and not self.parameters.is_cuda else nullcontext()

    def _together(self) -> int:
        """How many fits are advanced at a time; where no Jacobian is stored, as many as have room."""
        size = self.parameters.shape[1]
        if self.small is not None and is_small(self.problem, size):
            return max(1, MOST_NUMBERS // (size * (size + 1)))
        return together(self.problem, size)

    def _linearize(self, parameters: Tensor, problem: Problem) -> Linear:
        return linearize(self.model, parameters, problem, self.squares, self.small, self.shares)

    def _start(self, runs: Tensor) -> Fits:
        runs = runs.to(self.parameters.device)
        parameters = self.parameters[runs]
        linear = self._linearize(parameters, self.problem.of(runs))
        return Fits.start(parameters, linear, self.rules.of(runs), self.damped)

    def _advance(self, runs: Tensor, places: Tensor, trials: Trials) -> None:
        """Trial steps of `runs`, recorded at `places`; once a quarter have ended they are left out."""
        fits, rules, problem = self.fits.of(runs), self.rules.of(runs), self.problem.of(runs)
        steps_done = self.steps_done[runs]

        def evaluate(parameters: Tensor) -> Linear:
            return self._linearize(parameters, problem)

        for row in range(len(trials.rss)):
            running = fits.status == Status.RUNNING
            if int(running.sum()) <= 0.75 * len(runs):
                self._put(runs, fits, steps_done)
                runs, places, steps_done = runs[running], places[running], steps_done[running]
                fits, rules = fits.of(running), rules.of(running)
                problem = self.problem.of(runs)
                running = running[running]
            if not len(runs):
                return
            before, fits = fits, iterate(fits, rules, self.damped, evaluate)
            _record(trials, row, places, before, fits.damping)
            steps_done += running
            used_up = (fits.status == Status.RUNNING) & (steps_done >= rules.steps)
            fits.status = fits.status.masked_fill(used_up, Status.EXHAUSTED)
        self._put(runs, fits, steps_done)

    def _put(self, runs: Tensor, fits: Fits, steps_done: Tensor) -> None:
        self.fits.put(runs, fits)
        self.steps_done[runs] = steps_done


def _record(trials: Trials, row: int, places: Tensor, before: Fits, damping: Tensor) -> None:
    ended = before.status != Status.RUNNING
    gradient = before.gradient.square().sum(1).sqrt()
    values = before.rss, gradient, damping, before.parameters
    for part, value in zip(
        (trials.rss, trials.gradient, trials.damping, trials.parameters), values, strict=True
    ):
        past = ended.view(-1, *[1] * (value.dim() - 1))
        part[row].index_copy_(0, places, value.masked_fill(past, torch.nan))
