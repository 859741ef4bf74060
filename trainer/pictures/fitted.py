"""What a run's equations come to at any inputs, and how sure that is: the numbers of its picture.

The band of the curve is the delta method's: j C j^T is the variance of y, j = dy/dp the exact derivatives,
and C the covariance that the fit's standard errors are of. The variance of a new measurement is added to it
for its band. Both are of 95 % by Student's t; Bates and Watts, "Nonlinear Regression Analysis" (1988),
chapter 2.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from ...kernels.equations.robust import SQUARES, robust
from ...kernels.expression import expression, jacobian
from ...kernels.language import Graph
from ...kernels.least_squares import Problem, linearize
from ...kernels.least_squares.inference import infer
from ...kernels.least_squares.robust import RobustLoss
from ..data.dataset import Dataset
from ..engines.fit import CONFIDENCE, NORMAL
from ..engines.outcome import Outcome
from ..engines.rows import Row
from ..folder.result import Result
from ..models.expression import ExpressionModel
from ..models.metrics import LINKS

NOTHING = {
    "fixed": [],
    "at_bound": [],
    "undetermined": [],
    "combinations": [],
    "correlation": {},
    "notes": [],
}


@dataclass(frozen=True)
class Outputs:
    """Outputs y [B, T], and half the widths of their 95 % bands, None where unknown.

    `curve` [B, T] is that of y itself, `new` [B, T] that of a new measurement.
    """

    value: np.ndarray
    curve: np.ndarray | None = None
    new: np.ndarray | None = None


@dataclass(frozen=True)
class Fitted:
    """A run of a result whose model is equations; all is computed in float64 on the CPU."""

    result: Result
    run: int

    @cached_property
    def row(self) -> Row:
        """Of result.json."""
        return self.result.rows[self.run]

    @property
    def fit(self) -> Row:
        """The report of a least-squares fit; of other runs it says nothing."""
        return self.row.get("fit", NOTHING)

    @property
    def converged(self) -> bool:
        """Whether it is a least-squares fit at a minimum."""
        return "fit" in self.row and self.row["outcome"] == Outcome.CONVERGED.word

    @property
    def graph(self) -> Graph:
        assert isinstance(self.result.model, ExpressionModel)
        return self.result.model.graph

    @cached_property
    def parameters(self) -> Tensor:
        """[1, P]."""
        return self.result.model.parameters.detach()[self.run : self.run + 1].cpu().double()

    @cached_property
    def samples(self) -> Dataset:
        """What it was trained on: all samples, or those of its own group."""
        return self.result.data.of_run(self.run)

    @cached_property
    def counted(self) -> Dataset:
        """The samples whose weight isn't 0."""
        return self.samples.counted

    @cached_property
    def problem(self) -> Problem:
        """The samples that a fit is fitted to, with its loss."""
        data, model = self.counted.to(torch.device("cpu"), torch.float64), self.result.model
        rule = None if model.loss_kind.name in SQUARES else robust(model.loss_kind)
        if rule is None or model.loss_constants is None:
            return Problem(data.inputs, data.targets, data.weights)
        constants = model.loss_constants[self.run : self.run + 1].cpu().double()
        return Problem(data.inputs, data.targets, data.weights, loss=RobustLoss(rule, constants))

    @torch.no_grad()
    def outputs(self, inputs: Tensor) -> Outputs:
        """y at `inputs` [B, V], which are as the model takes them.

        There are bands where it is a fit that has converged, with degrees of freedom.
        """
        inputs = inputs.cpu().double()
        if self.covariance is None:
            link = LINKS.get(self.result.model.loss_kind.name, torch.clone)
            return Outputs(link(expression(self.graph, self.parameters, inputs))[0].numpy())
        y, slopes = jacobian(self.graph, self.parameters, inputs)
        variance = torch.einsum("btp,pq,btq->bt", slopes[0], self.covariance, slopes[0]).clamp(min=0)
        new = None if self.noise is None else (self.reach * (variance + self.noise**2).sqrt()).numpy()
        return Outputs(y[0].numpy(), (self.reach * variance.sqrt()).numpy(), new)

    @property
    def reach(self) -> float:
        """The standard deviations within which 95 % lie, by Student's t; of known errors by the normal's."""
        if "chi_square" in self.fit:
            return NORMAL
        return float(stdtrit(self.fit["degrees_of_freedom"], (1 + CONFIDENCE) / 2))

    @property
    def deviation(self) -> float | None:
        """The standard deviation of residuals whose weight is 1; where errors are known, 1."""
        return 1.0 if "chi_square" in self.fit else self.fit["residual_std"]

    @cached_property
    def noise(self) -> float | None:
        """The standard deviation of a new measurement; None where weights differ, or there are outliers."""
        weights, deviation = self.counted.weights, self.deviation
        if self.fit["robust"] or deviation is None:
            return None
        if weights is None:
            return deviation
        least, most = (float(part) for part in weights.aminmax())
        return deviation / least**0.5 if least == most else None

    @cached_property
    def covariance(self) -> Tensor | None:
        """The covariance [P, P] of the parameters, which the standard errors are of; None where unknown.

        Parameters that are fixed or at a bound have none. Where the data leave some undetermined it is the
        pseudo-inverse's, so that what they do determine has its band.
        """
        if not self.converged or self.deviation is None:
            return None
        if all(name in self.fit["correlation"] for name in self.free):
            return self._of_report()
        return self._of_jacobian()

    @property
    def free(self) -> list[str]:
        """The parameters that are neither fixed nor at a bound."""
        held = *self.fit["fixed"], *self.fit["at_bound"]
        return [name for name in self.graph.parameters if name not in held]

    def _of_report(self) -> Tensor:
        """By standard errors and correlations."""
        names, correlation = self.graph.parameters, self.fit["correlation"]
        stderr = [self.row["parameters"][name]["stderr"] or 0.0 for name in names]
        rows = [[correlation.get(a, {}).get(b) or 0.0 for b in names] for a in names]
        scale = torch.tensor(stderr, dtype=torch.float64)
        return torch.tensor(rows, dtype=torch.float64) * scale * scale[:, None]

    def _of_jacobian(self) -> Tensor:
        """s^2 (J^T J)^+, by the Jacobian at all samples."""
        linear = linearize(lambda p, x: jacobian(self.graph, p, x), self.parameters, self.problem)
        free = torch.tensor([[name in self.free and self._counts(name) for name in self.graph.parameters]])
        inference = infer(linear.root, free)
        assert self.deviation is not None
        return self.deviation**2 * inference.unscaled[0]

    def _counts(self, name: str) -> bool:
        """Whether the data say anything about a parameter, alone or in a combination with others."""
        combined = [entry["combination"] for entry in self.fit["combinations"]]
        words = {word for text in combined for word in re.split(r"\W+", text)}
        return name not in self.fit["undetermined"] or name in words
