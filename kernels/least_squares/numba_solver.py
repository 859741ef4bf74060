"""R fits of an expression graph on the CPU: its machine code, in a loop that Numba compiled once."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..common.llvm import KEPT, MachineCode, compiled
from ..common.threads import share
from ..equations.robust import Robust
from ..expression.llvm_source import rows_source
from ..language import Graph
from .llvm_algebra import algebra
from .method import Status
from .numba_kernel import advance, solutions
from .numba_starts import best_of
from .problem import Linear, Problem, Rules, Trials


class NumbaSolver:
    """A Solver, as TorchSolver, of a graph: parameters, samples and rules in float64 on the CPU."""

    def __init__(
        self, graph: Graph, problem: Problem, parameters: Tensor, rules: Rules, damped: bool
    ) -> None:
        assert parameters.dtype == torch.float64 and parameters.device.type == "cpu"
        assert parameters.is_contiguous(), "the compiled loop writes into this memory"
        self.code = _rows(graph, problem.weights is not None, problem.loss and problem.loss.rule)
        self.addresses = (self.code.address["rows"], *algebra().address.values())
        self.damped, self.rules = damped, rules
        self.parameters = parameters
        self.status = torch.full_like(rules.steps, Status.RUNNING)
        self.steps_done = torch.zeros_like(rules.steps)
        self.scale = torch.zeros_like(parameters)
        self.state = parameters.new_zeros(len(parameters), 2)
        self.state[:, 0] = torch.nan
        self.tolerances = torch.stack([rules.ftol, rules.xtol, rules.gtol, rules.radius, rules.size], 1)
        self.places, *self.samples = _samples(problem, len(parameters))
        no_constants = parameters.new_empty(len(parameters), 0)
        self.constants = no_constants if problem.loss is None else problem.loss.constants

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that changes: tensors [R, ...] by name, which are written to restore it."""
        return {
            "parameters": self.parameters,
            "state": self.state,
            "scale": self.scale,
            "status": self.status,
            "taken": self.steps_done,  # as it is called in checkpoints
        }

    def advance(self, count: int) -> Trials:
        """Makes up to `count` trial steps of every running fit."""
        runs = (self.status == Status.RUNNING).nonzero()[:, 0]
        everyone = len(runs) == len(self.status)
        rules = self.rules
        changed = tuple(self.memory.values())
        p, state, scale, status, steps_done = (part if everyone else part[runs] for part in changed)
        limits = self.tolerances, rules.lower, rules.upper, rules.free, self.constants, rules.steps
        tolerances, lower, upper, free, constants, steps, places = (
            part if everyone else part[runs] for part in (*limits, self.places)
        )
        history = np.empty((len(runs), count, 3))
        path = np.empty((len(runs), count, p.shape[1]))
        arguments = (
            self.addresses,
            self.damped,
            *(array(part) for part in (p, state, scale, tolerances, lower, upper, free, constants)),
            *(array(part) for part in (places, *self.samples)),
            *(array(part) for part in (status, steps_done, steps)),
            history,
            path,
        )
        share(len(runs), lambda start, stop: advance(start, stop, *arguments))
        if not everyone:
            for whole, part in zip(changed, (p, state, scale, status, steps_done), strict=True):
                whole[runs] = part
        rss, gradient, damping = torch.from_numpy(history).permute(2, 1, 0)
        return Trials(runs, rss, gradient, damping, torch.from_numpy(path).transpose(0, 1))

    def solutions(self) -> Iterator[tuple[Tensor, Linear]]:
        """All runs [R], and their linear problems at `parameters`."""
        runs, size = self.parameters.shape
        root, rss = np.empty((runs, size + 1, size)), np.empty(runs)
        given = self.parameters, self.constants, self.places, *self.samples
        arrays = *(array(part) for part in given), root, rss
        share(runs, lambda start, stop: solutions(start, stop, self.addresses, *arrays))
        columns = torch.from_numpy(root)
        yield torch.arange(runs), Linear(torch.from_numpy(rss), columns[:, :size].mT, columns[:, size])


@lru_cache(KEPT)
def _rows(graph: Graph, weighted: bool, loss: Robust | None) -> MachineCode:
    return compiled(rows_source(graph, weighted, loss), "rows")


def array(tensor: Tensor) -> np.ndarray:
    """The same memory as an array in C order; a copy where it isn't contiguous: what changes is.

    >>> import torch
    >>> from packtrain.kernels.least_squares.numba_solver import array
    >>> array(torch.ones(2, 3).mT).flags.c_contiguous
    True
    """
    return np.ascontiguousarray(tensor.detach().numpy())


def _samples(problem: Problem, runs: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """problem.places, [R, 4], in x [V, X], t [T, Y] and w [W].

    X, Y and W are N, or R N where each fit has its own; w is empty where there are no weights.
    """
    x, t = (part.flatten(0, -2).T.contiguous() for part in (problem.inputs, problem.targets))
    w = x.new_empty(0) if problem.weights is None else problem.weights.flatten()
    return problem.places(runs), x, t, w


def best_candidates(
    graph: Graph,
    problem: Problem,
    candidates: Tensor,
    linear: np.ndarray,
    lower: Tensor,
    upper: Tensor,
    count: int,
) -> tuple[Tensor, Tensor]:
    """Of R runs' `candidates` [R, C, P] the best `count`, [R, M, P], and their |e|^2 [R, M]: see best_of.

    Bounds are [P]. |e|^2 is infinite where none of a part's candidates is finite.

    >>> import numpy as np
    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.least_squares import Problem
    >>> from packtrain.kernels.least_squares.numba_solver import best_candidates
    >>> x, infinite = torch.tensor([[1.0], [2.0]]).double(), torch.full((2,), torch.inf).double()
    >>> rates, free = torch.tensor([[[1.0, 1.0], [1.0, 2.0]]]).double(), np.array([True, False])
    >>> problem = Problem(x, 3 * (-2 * x).exp())
    >>> graph = parse("y = a*exp(-k*x)")
    >>> best_candidates(graph, problem, rates, free, -infinite, infinite, 1)[0].round(decimals=6).tolist()
    [[[3.0, 2.0]]]
    """
    runs, _, size = candidates.shape
    code = _rows(graph, problem.weights is not None, None)
    addresses = (code.address["rows"], *algebra().address.values())
    best, squares = np.full((runs, count, size), np.nan), np.empty((runs, count))
    bounds = (bound.expand(runs, size) for bound in (lower, upper))
    constants = candidates.new_empty(runs, 0)
    places, *samples = _samples(problem, runs)
    arrays = (array(candidates), linear, *map(array, bounds), *map(array, (places, *samples, constants)))
    share(runs, lambda start, stop: best_of(start, stop, addresses, *arrays, best, squares))
    return torch.from_numpy(best), torch.from_numpy(squares)
