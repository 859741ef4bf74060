"""One step of gradient descent: by one sample, by a minibatch, by all."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.language.explain_sheets import number
from ...kernels.language.sheet import Sheet
from ..config.schema import FIRST_ORDER
from ..data.dataset import Dataset
from ..engines.plan import order_of
from ..models.base import Model
from ..models.expression import ExpressionModel
from .case import Case
from .samples import gradient, losses, mean_loss
from .sheets import across

LARGEST, SMALLEST = 1.0, 1e-15  # rates that are tried where the optimizer has none; below which none is


@dataclass(frozen=True)
class Step:
    """p - lr * dL/dp by some samples: their loss, their gradient, and the loss of all samples after it.

    Gradients and parameters are those of an equation's parameters, () of an MLP.
    """

    by: str
    samples: int
    loss: float
    norm: float
    gradient: tuple[float, ...]
    parameters: tuple[float, ...]
    after: float


@dataclass(frozen=True)
class Descent:
    """The steps of gradient descent with this learning rate, and what all samples' loss was `before`."""

    lr: float
    why: str
    names: tuple[str, ...]
    parameters: tuple[float, ...]
    before: float
    steps: tuple[Step, ...]

    @property
    def sheet(self) -> Sheet:
        """The steps as a table."""
        title = f"One step of gradient descent: p <- p - lr * dL/dp, with lr = {number(self.lr)}"
        labels, lines = across(self._labels, list(self._lines()))
        return Sheet(title, labels, lines, about=(self.why,))

    @property
    def _labels(self) -> tuple[str, ...]:
        steps = "by", ">their loss", ">|dL/dp|"
        return *steps, *(f">{name}" for name in self.names), ">loss of all samples after"

    def _lines(self) -> Iterator[tuple[str, ...]]:
        yield "(before)", "", "", *(number(p, 7) for p in self.parameters), number(self.before)
        for step in self.steps:
            values = (number(p, 7) for p in step.parameters)
            yield step.by, number(step.loss), number(step.norm), *values, number(step.after)


def descent(case: Case, sample: int, whole: Tensor) -> Descent:
    """One step from where the run stands: by this sample, by its first minibatch, by all samples.

    `whole` [P] is the gradient over all.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> from packtrain.trainer.explain.descent import descent
    >>> case = case_of_config(["experiment=debug", "optimizer=sgd", "optimizer.lr=1e-4"])
    >>> made = descent(case, 0, gradient(case.model, case.data))
    >>> [step.by for step in made.steps], made.steps[2].after < made.before
    (['sample 0', 'a minibatch of 64', 'all 384'], True)
    """
    model, data = case.model, case.data
    before = mean_loss(model, data)
    lr, why = _rate(case, before, whole)
    by_parts = [(by, part, gradient(model, part)) for by, part in _batches(case, sample)]
    each = [*by_parts, (f"all {len(data):,}", data, whole)]
    steps = tuple(_step(case, by, part, slope, lr) for by, part, slope in each)
    names = tuple(model.layout) if isinstance(model, ExpressionModel) else ()
    return Descent(lr, why, names, _numbers(model, model.parameters[0]), before, steps)


def _batches(case: Case, sample: int) -> Iterator[tuple[str, Dataset]]:
    """The sample alone, and the first minibatch that training takes, where that is not all."""
    data = case.data
    yield f"sample {sample:,}", data.part(slice(sample, sample + 1))
    if case.pack.config.optimizer.kind in FIRST_ORDER:
        order = order_of(case.pack, data)
        if not order.whole:
            yield f"a minibatch of {order.batch:,}", data.part(order.indices(0, 1).flatten())


def _step(case: Case, by: str, part: Dataset, slope: Tensor, lr: float) -> Step:
    model, moved = case.model, _moved(case.model, slope, lr)
    loss = float(losses(model, part).sum()) / (len(part) if model.loss_kind.mean else 1)
    values = _numbers(model, slope), _numbers(model, moved.parameters[0])
    return Step(by, len(part), loss, float(slope.norm()), *values, mean_loss(moved, case.data))


def _moved(model: Model, slope: Tensor, lr: float) -> Model:
    moved = model.of(torch.tensor([0]))
    moved.parameters = (moved.parameters.detach() - lr * slope).requires_grad_()
    return moved


def _rate(case: Case, before: float, slope: Tensor) -> tuple[float, str]:
    """The learning rate, and where it is from.

    It is that of optimizer=sgd. Other optimizers scale the gradient, so that theirs may be too large for it:
    then it is divided by 10 until a step by all samples lowers the loss.
    """
    kind = case.pack.config.optimizer.kind
    (given,) = case.pack.each("optimizer.lr") if kind in FIRST_ORDER else (LARGEST,)
    if kind == "sgd":
        return given, "lr is optimizer.lr; momentum and clipping are left out"
    lr = given
    while lr > SMALLEST and not mean_loss(_moved(case.model, slope, lr), case.data) <= before:
        lr /= 10
    if lr <= SMALLEST:
        return given, f"no lr lowers the loss; optimizer={kind} doesn't take this step, but one of its own"
    which = f"{number(given)}, {number(given / 10)}, ..." if lr < given else number(given)
    why = f"lr is the first of {which} by which a step by all samples lowers the loss" if lr < given else ""
    own = f"optimizer={kind} scales the gradient before it takes a step"
    return (
        lr,
        f"{why}; {own}" if why else f"lr is {'optimizer.lr' if kind in FIRST_ORDER else number(lr)}; {own}",
    )


def _numbers(model: Model, values: Tensor) -> tuple[float, ...]:
    """Those of an equation's parameters; of an MLP, which has many, none."""
    return tuple(values.tolist()) if isinstance(model, ExpressionModel) else ()
