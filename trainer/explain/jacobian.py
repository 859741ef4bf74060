"""The Jacobian of a few samples of equations, and the gradient that it makes of their errors."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.equations.robust import SQUARES
from ...kernels.language.explain_sheets import number
from ...kernels.language.sheet import Sheet
from ..models.expression import ExpressionModel
from .case import Case
from .samples import loss_and_slopes
from .sheets import across

FEW = 4  # samples


@dataclass(frozen=True)
class JacobianRow:
    """d output / d parameters at one sample; `error` is t - y, `slope` how the sample's loss changes with y.

    The sample's loss is not divided by the number of outputs here.
    """

    sample: int
    output: str
    slopes: tuple[float, ...]
    error: float | None
    slope: float


@dataclass(frozen=True)
class Jacobian:
    """A row a prediction, a column a parameter; `product` is J^T (dl/dy), which of squares is -2 J^T e.

    `whole` is the gradient over all `samples`: that product of all rows, over how many there are where the
    loss is a mean.
    """

    names: tuple[str, ...]
    rows: tuple[JacobianRow, ...]
    squares: bool
    weighted: bool
    product: tuple[float, ...]
    whole: tuple[float, ...]
    divided_by: int
    samples: int

    @property
    def sheet(self) -> Sheet:
        """The rows, the product, and the gradient."""
        first, last = self.rows[0].sample, self.rows[-1].sample
        title = f"The Jacobian J: a row a prediction, a column a parameter, at samples {first:,} to {last:,}"
        labels, lines = across(self._labels, list(self._lines()))
        return Sheet(title, labels, lines)

    @property
    def _labels(self) -> tuple[str, ...]:
        error = (">e = t - y",) if self.squares else ()
        return "sample", *(f">d/d {name}" for name in self.names), *error, ">dl/dy"

    def _lines(self) -> Iterator[tuple[str, ...]]:
        several = len({row.output for row in self.rows}) > 1
        for row in self.rows:
            label = f"{row.sample:,} {row.output}" if several else f"{row.sample:,}"
            error = (number(row.error),) if self.squares else ()
            yield label, *map(number, row.slopes), *error, number(row.slope)
        empty = ("",) * (1 + self.squares)
        formula = "-2 J^T e" if self.squares and not self.weighted else "J^T dl/dy"
        yield f"{formula} of these", *map(number, self.product), *empty
        divided = f" / {self.divided_by:,}" if self.divided_by > 1 else ""
        yield f"dL/dp of all: {formula}{divided}", *map(number, self.whole), *empty


@torch.no_grad()
def jacobian(case: Case, sample: int, whole: Tensor) -> Jacobian:
    """That of an equation's run, at the sample and those after it; `whole` [P] is the gradient over all.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> from packtrain.trainer.explain.jacobian import jacobian
    >>> from packtrain.trainer.explain.samples import gradient
    >>> case = case_of_config(["experiment=debug"])
    >>> made = jacobian(case, 3, gradient(case.model, case.data))
    >>> [row.sample for row in made.rows], made.squares
    ([3, 4, 5, 6], True)
    """
    model, data = case.model, case.data
    assert isinstance(model, ExpressionModel)
    start = max(0, min(sample, len(data) - FEW))
    few = data.part(slice(start, start + FEW))
    outputs, slopes = model.jacobian(model.parameters, few.inputs)
    stacked = outputs[0][:, None], few.targets[:, None]
    by_output = loss_and_slopes(model, *stacked, few.weights)[1][:, 0]
    by_output = by_output * (model.loss_kind.terms(by_output.shape[1]) or 1)
    squares = model.loss_kind.name in SQUARES
    errors = (few.targets - outputs[0]).tolist() if squares else [[None] * by_output.shape[1]] * len(few)
    names = tuple(model.graph.parameters)
    rows = [
        JacobianRow(start + n, output, tuple(slopes[0, n, t].tolist()), errors[n][t], float(by_output[n, t]))
        for n in range(len(few))
        for t, output in enumerate(model.graph.outputs)
    ]
    product = torch.einsum("nt,ntp->p", by_output, slopes[0])
    terms = model.loss_kind.terms(by_output.shape[1])
    return Jacobian(
        names,
        tuple(rows),
        squares,
        data.weights is not None,
        tuple(product.tolist()),
        tuple(whole.tolist()),
        len(data) * terms or 1,
        len(data),
    )
