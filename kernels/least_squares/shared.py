"""Fits of groups that share parameters: joint fits, whose steps are one for all of their groups.

A joint fit of G groups has G L + S unknowns: L local parameters of each group, and S shared ones. Its
Jacobian has a block of L columns for each group, and S columns over all rows: an arrow. Each group's local
columns are eliminated from its own rows; what is left says all about the shared parameters, whose step is
solved for first, and then each group's own. So time and memory grow with G, and no matrix of all groups is
ever made. The method, its radius, damping and criteria are those of reference.py, for one sum of squares.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..language import Graph
from .joint_fits import Code, JointFits, Limits, Scalars
from .joint_inference import JointEnd, joint_end
from .joint_layout import Layout
from .method import Status
from .numba_solver import NumbaSolver, array
from .problem import Linear, Problem, Rules, Trials


class SharedSolver(NumbaSolver):
    """A Solver, as NumbaSolver; the runs of a joint fit, `joint` [R], have equal `shared` parameters [P].

    It computes on the CPU in float64. All runs of a joint fit have one status, and one radius, damping and
    count of steps; of the rules, tolerances, steps and the bounds of shared parameters are those of its first
    run. A run whose residuals aren't finite at its start is left out, and is the only one that isn't finite.

    >>> import torch
    >>> from packtrain.kernels.language import parse
    >>> from packtrain.kernels.least_squares import Problem, Rules
    >>> from packtrain.kernels.least_squares.shared import SharedSolver
    >>> x = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    >>> problem = Problem(x, torch.stack([1 + 3 * x, 7 + 3 * x]))  # of a + k x, two groups
    >>> p = torch.ones(2, 2, dtype=torch.float64)
    >>> given = p, Rules.unbounded(problem, p), True
    >>> k = torch.tensor([False, True])
    >>> solver = SharedSolver(parse("xy = a + k*x"), problem, *given, shared=k, joint=torch.zeros(2).long())
    >>> trials = solver.advance(20)
    >>> p.round(decimals=6)
    tensor([[1., 3.],
            [7., 3.]], dtype=torch.float64)
    """

    def __init__(
        self,
        graph: Graph,
        problem: Problem,
        parameters: Tensor,
        rules: Rules,
        damped: bool,
        shared: Tensor,
        joint: Tensor,
    ) -> None:
        super().__init__(graph, problem, parameters, rules, damped)
        self.shared, self.joint = shared, joint
        self.order = torch.argsort(shared.long(), stable=True)

    def advance(self, count: int) -> Trials:
        """Makes up to `count` trial steps of every running joint fit."""
        runs = (self.status == Status.RUNNING).nonzero()[:, 0]
        history = np.full((count, len(runs), 3), np.nan)
        path = np.full((count, len(runs), len(self.order)), np.nan)
        if (fits := self._begin(runs)) is not None:
            places = np.searchsorted(runs.numpy(), fits.layout.runs.numpy())
            for row in range(count):
                if not bool(fits.running.any()):
                    break
                _try(fits, places, history[row], path[row])
            path = path[..., np.argsort(self.order.numpy())]
            self._put(fits)
        rss, gradient, damping = torch.from_numpy(history).permute(2, 0, 1)
        return Trials(runs, rss, gradient, damping, torch.from_numpy(path))

    def _begin(self, runs: Tensor) -> JointFits | None:
        """The joint fits of `runs`, but for those that aren't finite; None where there are none."""
        if not len(runs):
            return None
        fits = self._joint_fits(runs)
        finite = np.isfinite(fits.own)
        if not finite.all():
            self.status[fits.layout.runs[~finite]] = Status.NOT_FINITE
            return self._begin(fits.layout.runs[finite].sort().values)
        return fits

    def _joint_fits(self, runs: Tensor) -> JointFits:
        layout = Layout.of(runs, self.joint[runs])
        leaders, rules = layout.runs[layout.leaders], self.rules
        radius, damping = self.state[leaders].unbind(1)
        running = torch.full_like(leaders, Status.RUNNING)
        scalars = Scalars(radius, damping, running, self.steps_done[leaders].clone())
        size = layout.total(np.square(rules.size.numpy()[layout.runs.numpy()])).sqrt()
        samples = tuple(array(part) for part in (self.constants, self.places, *self.samples))
        of_groups = self.parameters, self.scale, rules.lower, rules.upper, rules.free
        parameters, scale, *limits = (_taken(part, layout.runs, self.order) for part in of_groups)
        return JointFits(
            layout,
            Code(self.addresses, self.order.numpy(), samples),
            parameters,
            scale,
            Limits(*limits),
            replace(rules.of(leaders), size=size),
            scalars,
            int(self.shared.sum()),
            self.damped,
        )

    def solutions(self) -> Iterator[tuple[Tensor, Linear]]:
        """All runs [R], and their linear problems at `parameters`: of each group, as in joint_end()."""
        linear, _ = self._end()
        yield torch.arange(len(self.parameters)), linear

    @property
    def shared_rank(self) -> Tensor:
        """How many directions of the shared parameters the data determine: [R]."""
        return self._end()[1]

    def _end(self) -> JointEnd:
        runs, size = self.parameters.shape
        rss, root = self.scale.new_full((runs,), torch.inf), self.scale.new_zeros(runs, size, size)
        projected, rank = torch.zeros_like(self.scale), torch.zeros_like(self.status)
        used = (self.status != Status.NOT_FINITE).nonzero()[:, 0]
        if len(used):
            fits = self._joint_fits(used)
            at_end, of_shared = joint_end(fits)
            runs, inverse = fits.layout.runs, torch.argsort(self.order)
            rss[runs], rank[runs] = at_end.rss, of_shared
            root[runs], projected[runs] = at_end.root[:, :, inverse], at_end.projected
        return JointEnd(Linear(rss, root, projected), rank)

    def _put(self, fits: JointFits) -> None:
        """Writes where the joint fits stand."""
        runs, owner = fits.layout.runs.numpy(), fits.layout.owner.numpy()
        inverse, state = np.argsort(self.order.numpy()), fits.scalars
        scale = np.concatenate([fits.local.scale, fits.shared.scale.numpy()[owner]], 1)
        self.parameters.numpy()[runs] = fits.p[:, inverse]
        self.scale.numpy()[runs] = scale[:, inverse]
        self.state.numpy()[runs] = np.stack([state.radius, state.damping], 1)[owner]
        self.status.numpy()[runs] = state.status.numpy()[owner]
        self.steps_done.numpy()[runs] = state.steps_done.numpy()[owner]


def _taken(part: Tensor, runs: Tensor, columns: Tensor) -> np.ndarray:
    """[R, P] -> these runs and columns. NumPy's, since torch's threads take long to begin so small a work."""
    return part.detach().numpy()[runs.numpy()[:, None], columns.numpy()]


def _try(fits: JointFits, places: np.ndarray, history: np.ndarray, path: np.ndarray) -> None:
    """One trial step: |e|^2 of a group, |J^T e| and the damping into history [A, 3]; and path [A, P]."""
    owner = fits.layout.owner.numpy()
    running = fits.running.numpy()[owner]
    tried, owner = places[running], owner[running]
    history[tried, 0], path[tried] = fits.own[running], fits.p[running]
    history[tried, 1] = fits.iterate().numpy()[owner]
    history[tried, 2] = fits.scalars.damping.numpy()[owner]
