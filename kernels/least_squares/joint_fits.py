"""Joint fits under way: trial steps by the rules of reference.py, on an arrow-shaped problem."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common.threads import share
from .algebra import norm_of, search, sum_of
from .criteria import first_criterion, negligible, rounding_of
from .fits import Outlook
from .joint_layout import Layout
from .method import DETERMINED, LEAST_REACH, NEAR, SINGULAR_PIVOT, Status
from .numba_joint import (
    eliminate,
    length_and_slope,
    linearize,
    measure,
    reduction,
    solve_shared,
    substitute,
    try_step,
)
from .problem import Rules
from .reference import new_radius

ALONE = 64  # blocks of groups, whose small algebra takes no longer than threads take to begin
LEAST = torch.finfo(torch.float64).eps ** DETERMINED


@dataclass(frozen=True)
class Code:
    """What linearizes the groups: addresses of machine code, and the data of all runs.

    `order` [P] lists the local parameters, then the shared ones; `samples` are the constants of a loss
    [R, C], and NumbaSolver's places, inputs, targets and weights.
    """

    addresses: tuple[int, ...]
    order: np.ndarray
    samples: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Limits:
    """The bounds of the parameters of groups, and which are fitted: [A, P] each."""

    lower: np.ndarray
    upper: np.ndarray
    free: np.ndarray


@dataclass
class Part:
    """Local or shared parameters before a step, each [A, L] or [K, S]; see numba_kernel.scaled."""

    scale: Tensor
    weight: Tensor
    norm: Tensor
    movable: Tensor
    significant: Tensor

    @classmethod
    def like(cls, scale: Tensor) -> "Part":
        """Room for those of this `scale`."""
        empty = (torch.empty_like(scale) for _ in range(2))
        masks = (torch.empty_like(scale, dtype=torch.bool) for _ in range(2))
        return cls(scale, *empty, *masks)


@dataclass
class Scalars:
    """The method's state of K joint fits, [K] each."""

    radius: Tensor
    damping: Tensor
    status: Tensor
    steps_done: Tensor


class JointFits:
    """K joint fits of A groups: `parameters`, `scale` and `limits` [A, P], local parameters first.

    `rules` are those of the joint fits; of the last `shared` parameters all groups of a fit have the same.
    Groups whose residuals aren't finite at the parameters aren't to be among them.
    """

    def __init__(
        self,
        layout: Layout,
        code: Code,
        parameters: np.ndarray,
        scale: np.ndarray,
        limits: Limits,
        rules: Rules,
        scalars: Scalars,
        shared: int,
        damped: bool,
    ) -> None:
        groups, size = parameters.shape
        local, leaders = size - shared, layout.leaders
        self.layout, self.code, self.damped = layout, code, damped
        self.p, self.scalars = parameters, scalars
        self.limits, self.free = limits, limits.free[:, :local].copy()
        order = torch.from_numpy(code.order[local:])
        bounds = (part[:, order] for part in (rules.lower, rules.upper, rules.free))
        self.rules = replace(rules, **dict(zip(("lower", "upper", "free"), bounds, strict=True)))
        self.local = Part.like(torch.from_numpy(scale[:, :local].copy()))
        self.shared = Part.like(torch.from_numpy(scale[leaders.numpy(), local:]))
        self.root, self.there = (np.zeros((groups, size + 1, size)) for _ in range(2))
        self.own, self.own_there = np.empty(groups), np.empty(groups)
        self.trial = parameters.copy()
        self.step, self.inner = np.empty((groups, local)), np.empty((groups, local))
        self.kept = np.empty((groups, size + 1, local))
        self.shared_step = torch.zeros_like(self.shared.scale)
        self.corner = self.shared_step.new_zeros(len(leaders), shared + 1, shared)
        self.triangles = np.zeros((len(layout.block_owner), shared + 1, shared))
        self._groups(linearize, self.everyone, *self._of_code, self.p, *code.samples, self.root, self.own)
        self.rss = layout.total(self.own)

    @property
    def everyone(self) -> Tensor:
        """All joint fits, marked."""
        return torch.ones_like(self.scalars.status, dtype=torch.bool)

    @property
    def running(self) -> Tensor:
        """The joint fits that go on: [K]."""
        return self.scalars.status == Status.RUNNING

    @property
    def _of_code(self) -> tuple[Any, ...]:
        return self.code.addresses, self.code.order, self.layout.runs

    @property
    def _values(self) -> Tensor:
        """The shared parameters, [K, S]."""
        return torch.from_numpy(self.p[self.layout.leaders.numpy(), self.step.shape[1] :])

    def iterate(self) -> Tensor:
        """One trial step of each running joint fit -> |J^T e| before it, [K]."""
        running, state = self.running, self.scalars
        steepness, slope, reach, terms, cosine = self.measure()
        first = self.rules.radius * torch.where(
            (far := torch.maximum(reach, LEAST_REACH * self.rules.size)) > 0, far, 1
        )
        radius = torch.where(state.radius >= 0, state.radius, first if self.damped else torch.inf)
        damping, singular = self._damped_step(radius, slope) if self.damped else self._short_step(radius)
        predicted, square, length = self._try()
        step = Outlook(predicted, square, length, reach, damping, singular, cosine, terms)
        rss = self.layout.total(self.own_there)
        actual = self.rss - rss
        radius = new_radius(self.rss, radius, step, actual, self.damped)
        status = first_criterion(
            self.rss, self.rules, step, rss, radius, torch.float64, lambda needed: self._attainable(needed)
        )
        self._accept(running & (actual > 0) & (status != Status.GRADIENT), rss)
        state.radius = torch.where(running, radius, state.radius)
        state.damping = torch.where(running, damping, state.damping)
        state.status = torch.where(running, status, state.status)
        state.steps_done = state.steps_done + running
        used_up = self.running & (state.steps_done >= self.rules.steps)
        state.status = state.status.masked_fill(used_up, Status.EXHAUSTED)
        return steepness

    def measure(self) -> tuple[Tensor, ...]:
        """|J^T e|, |D^-1 J^T e| of the movable, |D p|, the norm of columns times p, the cosine: [K]."""
        local, shared, values = self.local, self.shared, self._values
        count = values.shape[1]
        sums = np.zeros((len(self.layout.block_owner), 4 + 2 * count))
        cosines = np.zeros(len(sums))
        rounding = rounding_of(self.rss, self.rules.size, torch.float64)
        limits = self.p, self.limits.lower, self.limits.upper, self.free, rounding
        masks = local.norm, local.movable, local.significant
        arguments = *limits, local.scale, local.weight, *masks, sums, cosines
        self._groups(measure, self.running, self.layout.block_owner, self.damped, self.root, *arguments)
        total = self.layout.sums(sums)
        slope, square = total[:, 4 : 4 + count], total[:, 4 + count :]
        shared.movable = self.rules.movable(values, slope)
        shared.norm = torch.where(shared.movable, square.sqrt(), 0)
        shared.scale = torch.where(
            self.running[:, None], torch.maximum(shared.scale, shared.norm), shared.scale
        )
        shared.weight = torch.where(shared.scale > 0, shared.scale, 1)
        if self.damped:
            shared.movable = shared.movable & (shared.norm > 0)
        beside = negligible(shared.norm, slope, values, shared.scale, rounding)
        shared.significant = (shared.norm > 0) & ~beside
        cosine = torch.where(shared.significant, slope.abs() / shared.norm, 0).amax(1)
        parts = (
            slope,
            torch.where(shared.movable, slope / shared.weight, 0),
            shared.scale * values,
            shared.norm * values,
        )
        norms = ((total[:, n] + sum_of(part.square())).sqrt() for n, part in enumerate(parts))
        return *norms, torch.maximum(cosine, self.layout.largest(cosines))

    def _damped_step(self, radius: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Writes the Gauss-Newton step where it lies within the radius, else a damped one -> its damping."""
        free = self.local.movable, self.shared.movable
        weights = self.local.weight, self.shared.weight
        damping, never = torch.zeros_like(radius), torch.zeros_like(self.running)
        length, inner = self._solve(self.running, free, weights, damping)
        outside = self.running & ~(length <= (1 + NEAR) * radius)
        if not bool(outside.any()):
            return damping, never

        def attempt(tried: Tensor) -> tuple[Tensor, Tensor]:
            factor = torch.zeros_like(radius)
            factor[outside] = tried.sqrt()
            length, inner = self._solve(outside, free, weights, factor)
            return length[outside], inner[outside]

        given = (part[outside] for part in (radius, self.scalars.damping, slope, length, inner))
        damping[outside] = search(*given, attempt=attempt)
        return damping, never

    def _short_step(self, radius: Tensor) -> tuple[Tensor, Tensor]:
        """Writes the Gauss-Newton step, cut to the radius -> a damping of 0, and if J lacks full rank."""
        local, shared = self.local, self.shared
        free, none = (local.movable, shared.movable), torch.zeros_like(radius)
        length, _ = self._solve(self.running, free, (local.weight, shared.weight), none)
        cut = (radius / length).clamp(max=1)[:, None].nan_to_num(1)
        self.step *= cut.numpy()[self.layout.owner.numpy()]
        self.shared_step *= cut
        columns = torch.from_numpy(self.kept[:, : self.step.shape[1]])
        flat = columns.diagonal(dim1=1, dim2=2).abs() <= SINGULAR_PIVOT * columns.square().sum(2).sqrt()
        groups = torch.zeros_like(none).index_add(0, self.layout.owner, flat.any(1).double())
        pivots = self.corner[:, :-1].diagonal(dim1=1, dim2=2).abs()
        unit = torch.where(shared.movable, shared.norm, 1)
        return none, (groups > 0) | (pivots <= SINGULAR_PIVOT * unit).any(1)

    def _solve(
        self, fits: Tensor, free: tuple[Tensor, Tensor], diagonal: tuple[Tensor, Tensor], factor: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Writes steps of joint fits, damped by factor [K] times a diagonal -> `length`, `slope` of search().

        `free` and `diagonal` are those of local parameters [A, L] and of shared ones [K, S].
        """
        layout = self.layout
        owner, which = layout.block_owner, np.flatnonzero(fits.numpy())
        addresses, first = self.code.addresses, layout.first
        given = free[0], diagonal[0], factor, self.kept, self.triangles
        self._groups(eliminate, fits, owner, addresses, self.root, *given)
        damped = (factor[:, None] * diagonal[1]).numpy()
        arguments = self.triangles, free[1].numpy(), damped, self.shared_step.numpy(), self.corner.numpy()
        solve_shared(0, len(which), which, first, addresses, *arguments)
        sums = np.zeros((len(owner), 2 + self.shared_step.shape[1]))
        steps = self.kept, self.shared_step, self.local.weight, self.step, self.inner, sums
        self._groups(substitute, fits, owner, *steps)
        length, slope = torch.zeros_like(factor), torch.zeros_like(factor)
        parts = (part.numpy() for part in (self.corner, self.shared_step, self.shared.weight))
        length_and_slope(which, first, *parts, sums, length.numpy(), slope.numpy())
        return length, slope

    def _try(self) -> tuple[Tensor, Tensor, Tensor]:
        """Linearizes at the trial parameters -> the predicted reduction, |A s|^2 and |D s| of the step."""
        old, part, rules, limits = self._values, self.shared, self.rules, self.limits
        moved = torch.clamp(old + self.shared_step, rules.lower, rules.upper)
        values = torch.where(part.movable, moved, old)
        sums = np.zeros((len(self.layout.block_owner), 3))
        step = self.p, self.step, values, self.local.movable, limits.lower, limits.upper, self.local.weight
        there = *self.code.samples, self.trial, self.there, self.own_there, sums
        owner = self.layout.block_owner
        self._groups(try_step, self.running, owner, *self._of_code, *step, self.root, *there)
        predicted, square, length = self.layout.sums(sums).unbind(1)
        return predicted, square, (length + norm_of(part.weight * (values - old)).square()).sqrt()

    def _attainable(self, needed: Tensor) -> Tensor:
        """The attainable reduction by the significant parameters: [K], infinite where it isn't `needed`."""
        fits, result = needed & self.running, torch.full_like(self.rss, torch.inf)
        if not bool(fits.any()):
            return result
        local, shared = self.local, self.shared
        free = local.significant, shared.significant
        self._solve(fits, free, (LEAST * local.norm, LEAST * shared.norm), torch.ones_like(self.rss))
        step = torch.where(shared.significant, self.shared_step, 0)
        sums = np.zeros((len(self.layout.block_owner), 1))
        owner = self.layout.block_owner
        self._groups(reduction, fits, owner, self.root, local.significant, self.step, step, sums)
        return torch.where(fits, self.layout.sums(sums)[:, 0], result)

    def _accept(self, fits: Tensor, rss: Tensor) -> None:
        """Moves the marked joint fits [K] to their trial parameters."""
        self.rss = torch.where(fits, rss, self.rss)
        if bool(fits.all()):
            self.p, self.trial = self.trial, self.p
            self.root, self.there = self.there, self.root
            self.own, self.own_there = self.own_there, self.own
            return
        groups = fits.numpy()[self.layout.owner.numpy()]
        for here, there in ((self.p, self.trial), (self.root, self.there), (self.own, self.own_there)):
            here[groups] = there[groups]

    def _groups(self, kernel: Callable[..., None], fits: Tensor, *arguments: Any) -> None:
        """Runs a kernel over the blocks of these joint fits [K]."""
        blocks = self.layout.blocks_of(fits)
        arrays = [part.numpy() if isinstance(part, Tensor) else part for part in arguments]
        if len(blocks) <= ALONE and kernel not in (linearize, try_step):
            kernel(0, len(blocks), blocks, self.layout.bounds, *arrays)
        else:
            share(len(blocks), lambda start, stop: kernel(start, stop, blocks, self.layout.bounds, *arrays))
