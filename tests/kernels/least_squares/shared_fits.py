"""Joint fits written out as one dense fit: what the tests of shared parameters compare with."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from packtrain.kernels.common.segments import Segments
from packtrain.kernels.expression.reference import jacobian, predict
from packtrain.kernels.language import Graph
from packtrain.kernels.least_squares import Problem, Rules
from packtrain.kernels.least_squares.linearize import OutputsAndJacobian
from tests.kernels.least_squares.fits import KINDS, Kind, tensor


def made_up(kind: Kind, shared: list[bool], counts: list[int], seed: int = 0) -> Problem:
    """Groups of so many noisy samples each, whose local parameters differ."""
    rng = np.random.default_rng(seed)
    inputs, targets = [], []
    for count in counts:
        away = np.where(shared, 1, rng.uniform(0.9, 1.1, len(shared)))
        x = torch.linspace(kind.low, kind.high, count, dtype=torch.float64)[:, None]
        clean = predict(kind.graph, tensor((np.array(kind.truth) * away)[None]), x)[0]
        inputs.append(x)
        targets.append(clean + torch.from_numpy(rng.normal(0, kind.noise, clean.shape)))
    segments = Segments.after_another(torch.tensor(counts))
    return Problem(torch.cat(inputs), torch.cat(targets), segments=segments)


def shared_of(kind: Kind) -> list[bool]:
    """The second parameter is shared, and of four or more the last."""
    size = len(kind.start)
    return [place == 1 or (place == size - 1 and size > 3) for place in range(size)]


@dataclass(frozen=True)
class Dense:
    """One fit of all groups: its parameters are those of each, one after another, and the shared ones."""

    graph: Graph
    problem: Problem
    shared: Tensor

    @property
    def groups(self) -> int:
        assert self.problem.segments is not None
        return len(self.problem.segments)

    def unknowns(self, of_groups: Tensor) -> Tensor:
        """[G, P] -> [U]."""
        return torch.cat([of_groups[:, ~self.shared].flatten(), of_groups[0, self.shared]])

    def of_groups(self, unknowns: Tensor) -> Tensor:
        """[U] -> [G, P]."""
        count = len(unknowns) - int(self.shared.sum())
        parameters = unknowns.new_empty(self.groups, len(self.shared))
        parameters[:, ~self.shared] = unknowns[:count].view(self.groups, -1)
        parameters[:, self.shared] = unknowns[count:]
        return parameters

    def own(self, group: int) -> slice:
        """The samples of a group."""
        segments = self.problem.segments
        assert segments is not None
        start = int(segments.starts[group])
        return slice(start, start + int(segments.counts[group]))

    @property
    def model(self) -> OutputsAndJacobian:
        """All groups as one model of the samples of all."""

        def outputs_and_jacobian(unknowns: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
            outputs, slopes = [], []
            local = int((~self.shared).sum())
            for group, parameters in enumerate(self.of_groups(unknowns[0])):
                y, slope = jacobian(self.graph, parameters[None], inputs[self.own(group)])
                whole = slope.new_zeros(*slope.shape[1:3], unknowns.shape[1])
                whole[..., group * local : (group + 1) * local] = slope[0][..., ~self.shared]
                whole[..., self.groups * local :] = slope[0][..., self.shared]
                outputs.append(y[0])
                slopes.append(whole)
            return torch.cat(outputs)[None], torch.cat(slopes)[None]

        return outputs_and_jacobian

    def rules(self, given: Rules) -> Rules:
        """The rules of groups as those of one fit."""
        whole = given.of(torch.tensor([0]))
        lower, upper, free = (self.unknowns(part)[None] for part in (given.lower, given.upper, given.free))
        size = given.size.square().sum()[None].sqrt()
        return replace(whole, lower=lower, upper=upper, free=free, size=size)

    def residuals(self, group: int, parameters: Tensor) -> Tensor:
        """Those of a group at its parameters [P], by `predict`: no part of least_squares or the Jacobian."""
        own = self.own(group)
        errors = (
            predict(self.graph, parameters[None], self.problem.inputs[own])[0] - self.problem.targets[own]
        )
        return (
            errors.flatten()
            if self.problem.weights is None
            else self.problem.weights[own].sqrt() * errors[:, 0]
        )

    def slopes(self, group: int, parameters: Tensor) -> Tensor:
        """Their derivatives by all unknowns, by torch's autograd."""

        def of(own: Tensor) -> Tensor:
            return self.residuals(group, own)

        slopes = torch.autograd.functional.jacobian(of, parameters)
        assert isinstance(slopes, Tensor)
        return torch.stack([self.unknowns(self._at(group, row)) for row in slopes])

    def _at(self, group: int, row: Tensor) -> Tensor:
        """A row [P] in the place of a group; what is shared in that of the first, too."""
        places = row.new_zeros(self.groups, len(row))
        places[group] = row
        places[0, self.shared] = row[self.shared]
        return places

    def by_scipy(self, start: Tensor, free: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """The parameters of groups, and their standard errors, [G, P] each; NaN of those that aren't free."""
        mask, first = self.unknowns(free), self.unknowns(start)

        def whole(p: Tensor) -> Tensor:
            return first.masked_scatter(mask, p)

        def each(p: np.ndarray) -> list[tuple[int, Tensor]]:
            return list(enumerate(self.of_groups(whole(torch.from_numpy(p)))))

        def value(p: np.ndarray) -> np.ndarray:
            return torch.cat([self.residuals(*group) for group in each(p)]).numpy()

        def slope(p: np.ndarray) -> np.ndarray:
            return torch.cat([self.slopes(*group) for group in each(p)])[:, mask].numpy()

        bounds = self.unknowns(lower)[mask].numpy(), self.unknowns(upper)[mask].numpy()
        unbounded = bool(np.isinf(bounds).all())
        ended = least_squares(
            value,
            first[mask].numpy(),
            slope,  # pyright: ignore[reportArgumentType] (a function is allowed)
            bounds,
            "lm" if unbounded else "trf",
            1e-15,
            1e-15,
            1e-15,
            x_scale="jac",
            max_nfev=5000,
        )
        freedom = len(ended.fun) - len(ended.x)
        covariance = np.linalg.inv(ended.jac.T @ ended.jac) * 2 * ended.cost / freedom
        errors = torch.full_like(first, torch.nan)
        errors[mask] = torch.from_numpy(np.sqrt(np.diag(covariance)))
        return self.of_groups(whole(torch.from_numpy(ended.x))), self.of_groups(errors)


DECAY = KINDS["exponential decay"]
