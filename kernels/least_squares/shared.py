"""Fits of groups that share parameters: joint fits, whose steps are one for all of their groups.

A joint fit of G groups has G L + S unknowns: L local parameters of each group, and S shared ones. Its
Jacobian has a block of L columns for each group, and S columns over all rows: an arrow. Each group's local
columns are eliminated from its own rows; what is left says all about the shared parameters, whose step is
solved for first, and then each group's own. So time and memory grow with G, and no matrix of all groups is
ever made. The method, its radius, damping and criteria are those of reference.py, for one sum of squares.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..language import Graph
from .joint_fits import Code, JointFits, Scalars
from .joint_layout import Layout
from .method import Status
from .numba_solver import NumbaSolver, array
from .problem import Problem, Rules, Trials


class SharedSolver(NumbaSolver):
    """A Solver, as NumbaSolver, whose `shared` parameters [P] are equal in the runs of a joint fit, `joint` [R].

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
        trials = _untried(runs, count, self.parameters)
        fits = self._begin(runs)
        if fits is None:
            return trials
        places = torch.searchsorted(runs, fits.layout.runs)
        for row in range(count):
            running = fits.running[fits.layout.owner]
            if not bool(running.any()):
                break
            before = fits.own, fits.p
            steepness = fits.iterate()
            tried, owner = places[running], fits.layout.owner[running]
            trials.rss[row, tried] = before[0][running]
            trials.gradient[row, tried] = steepness[owner]
            trials.damping[row, tried] = fits.scalars.damping[owner]
            trials.parameters[row, tried[:, None], self.order] = before[1][running]
        self._put(fits)
        return trials

    def _begin(self, runs: Tensor) -> JointFits | None:
        """The joint fits of `runs`, but for those that aren't finite; None where there are none."""
        if not len(runs):
            return None
        fits = self._joint_fits(runs)
        finite = fits.own.isfinite()
        if not bool(finite.all()):
            self.status[fits.layout.runs[~finite]] = Status.NOT_FINITE
            return self._begin(fits.layout.runs[finite].sort().values)
        return fits

    def _joint_fits(self, runs: Tensor) -> JointFits:
        layout = Layout.of(runs, self.joint[runs])
        runs, order, leaders = layout.runs, self.order, layout.runs[layout.leaders]
        rules = self.rules.of(runs)
        limits = (rules.lower, rules.upper, rules.free)
        lower, upper, free = (part[:, order].contiguous() for part in limits)
        rules = replace(rules, lower=lower, upper=upper, free=free)
        scalars = Scalars(
            *self.state[leaders].unbind(1), self.status[leaders].clone(), self.steps_done[leaders].clone()
        )
        samples = tuple(array(part) for part in (self.constants, self.places, *self.samples))
        code = Code(self.addresses, order.numpy(), samples)
        parameters, scale = (part[runs][:, order] for part in (self.parameters, self.scale))
        return JointFits(layout, code, parameters, scale, rules, scalars, int(self.shared.sum()), self.damped)

    def _put(self, fits: JointFits) -> None:
        """Writes where the joint fits stand."""
        runs, owner = fits.layout.runs, fits.layout.owner
        self.parameters[runs[:, None], self.order] = fits.p
        scale = torch.cat([fits.local.scale, fits.shared.scale[owner]], 1)
        self.scale[runs[:, None], self.order] = scale
        state = fits.scalars
        self.state[runs] = torch.stack([state.radius, state.damping], 1)[owner]
        self.status[runs], self.steps_done[runs] = state.status[owner], state.steps_done[owner]


def _untried(runs: Tensor, count: int, parameters: Tensor) -> Trials:
    """Room for so many trial steps, of NaN."""
    rss, gradient, damping = (parameters.new_full((count, len(runs)), torch.nan) for _ in range(3))
    path = parameters.new_full((count, len(runs), parameters.shape[1]), torch.nan)
    return Trials(runs, rss, gradient, damping, path)
