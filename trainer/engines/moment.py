"""One step of one run, computed once more by the reference, to see what in it isn't finite."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor

from ...kernels.expression.fault import word_of
from ...kernels.loss import loss
from ...kernels.sums import sum_in_order
from ..data.dataset import Dataset
from ..models.base import Model
from ..models.expression import ExpressionModel
from ..models.mlp import MLPModel
from ..optimizers import State
from .faults import NEARER, Fault, fault_in, fault_of_loss
from .layer_faults import fault_of_layers, fault_on_the_way_back
from .plan import Plan

MOST_NUMBERS = 1 << 22  # in the gradients of samples that are computed together
MOST_GRADIENTS = 1 << 27  # numbers in those of a whole minibatch; of a larger one they aren't looked at
MEND = "try a smaller optimizer.lr or, with adam, a larger optimizer.eps"


@dataclass(frozen=True)
class Moment:
    """The step `step` of a run: its `model` before it, its minibatch, and how the update is made.

    `state` is what the optimizer remembers, [1, P] each; None where it isn't known. All are on the CPU.

    >>> from packtrain.kernels.language import parse
    >>> model = ExpressionModel(parse("xy = exp(a*x)"), torch.tensor([[400.0]]), "mse", None)
    >>> batch = Dataset(torch.ones(1, 1), torch.ones(1, 1), ("x",), ("xy",))
    >>> from packtrain.trainer.config.schema import *
    >>> from packtrain.trainer.engines.plan import plan_of
    >>> from packtrain.trainer.config.pack import Pack
    >>> config = Config(optimizer=OptimizerConfig("sgd"), loop=LoopConfig(batch_size="full", steps=9))
    >>> plan = plan_of(Pack(config, {}, 1), model.parameters.detach(), batch)
    >>> str(Moment(7, model, batch, plan, {}).fault_of_gradient())
    'row 1: xy = exp(400) is infinite in float32'
    """

    step: int
    model: Model
    batch: Dataset
    plan: Plan
    state: Mapping[str, Tensor] | None

    def fault_of_gradient(self) -> Fault | None:
        """What isn't finite of the loss and its gradient; None where all is."""
        mend = NEARER if self.step == 0 else ""
        return fault_of_model(self.model, self.batch, self._keys, mend) or self._of_slopes()

    def fault_of_update(self) -> Fault | None:
        """The first parameter, or state of the optimizer, that isn't finite any more; None where all are."""
        if self.state is None:
            return None
        new, state = self.updated()
        for word, values in [*state.items(), ("", new)]:
            if not bool((finite := values[0].isfinite()).all()):
                return self._of_number(word, int((~finite).nonzero()[0]), values)
        return None

    def updated(self) -> tuple[Tensor, State]:
        """The parameters [1, P], and what the optimizer remembers, after the step."""
        assert self.state is not None
        rates, gradient = self.plan.rates, self._clipped()
        _, coefficients = rates(torch.tensor([self.step]))
        now = coefficients[0].to(gradient.dtype)[:, rates.setting, None]
        return self.plan.optimizer.update(self.model.parameters.detach(), gradient, self.state, now)

    def _of_number(self, state: str, place: int, values: Tensor) -> Fault:
        name, value, slope = name_of(self.model, place), values[0, place], self._clipped()[0, place]
        name = f"the optimizer's {state} of {name}" if state else name
        lr = float(self.plan.rates(torch.tensor([self.step]))[0])
        numbers = f"the gradient is {float(slope):.4g} and the learning rate {lr:.4g}"
        text = f"the update makes {name} {_word(value)} in {_type(value)}: {numbers}; {MEND}"
        return Fault(text, name)

    def _of_slopes(self) -> Fault | None:
        """Of the loss's derivative by a parameter: what one sample adds to it, or the sum."""
        slopes = self._gradient[0]
        if bool(slopes.isfinite().all()):
            return None
        place = int((~slopes.isfinite()).nonzero()[0])
        name = f"d loss/d {name_of(self.model, place)}"
        text = f"{name} is {_word(slopes[place])} in {_type(slopes)}"
        if len(self.batch) * len(slopes) > MOST_GRADIENTS:
            return Fault(text, name)
        parts = self._slopes_of_samples(place)
        if bool(parts.isfinite().all()):
            most = int(parts.abs().argmax())
            added = f"to which row {self.batch.row(most)} adds {float(parts[most]):.4g}"
            return Fault(f"{text}, {added}", name)
        return Fault(text, name, self.batch.row(int((~parts.isfinite()).nonzero()[0])))

    def _slopes_of_samples(self, place: int) -> Tensor:
        """What each sample adds to the derivative of the loss by one parameter, [B]: each as a run."""
        batch, dtype = self.batch, self.model.parameters.dtype
        share = 1 / len(batch) if self.model.loss_kind.mean else 1.0
        weights = torch.full((len(batch),), share, dtype=dtype)
        if batch.weights is not None:
            weights *= batch.weights
        slopes: list[Tensor] = []
        together = max(1, MOST_NUMBERS // self.model.parameters.shape[1])
        for some in torch.arange(len(batch)).split(together):
            runs = self.model.of(torch.zeros_like(some))
            total = runs.loss(batch.inputs[some, None], batch.targets[some, None], weights[some, None]).sum()
            slopes.append(torch.autograd.grad(total, runs.parameters)[0][:, place])
        return torch.cat(slopes)

    @cached_property
    def _gradient(self) -> Tensor:
        """That of the loss, [1, P]."""
        given = self.batch.inputs, self.batch.targets, weights_of(self.batch, self.model.parameters.dtype)
        total = self.model.loss(*given, keys=self._keys).sum()
        return torch.autograd.grad(total, self.model.parameters)[0]

    def _clipped(self) -> Tensor:
        """The gradient as the optimizer takes it, [1, P]."""
        gradient, most = self._gradient, self.plan.clip_norm
        if most is None:
            return gradient
        norm, most = sum_in_order(gradient.double().square()).sqrt().to(gradient.dtype), most.cpu()
        return gradient * (most / (norm + 1e-6)).masked_fill(norm <= most, 1)[:, None]

    @property
    def _keys(self) -> Tensor:
        return self.model.keys(torch.tensor([self.step]))[0]


def fault_of_model(model: Model, data: Dataset, keys: Tensor | None = None, mend: str = "") -> Fault | None:
    """What isn't finite of one run's outputs, losses or derivatives; None where all is, but for their sums.

    `keys` are those of a step; `mend` follows what is too far from the data.

    >>> model = MLPModel(torch.full((1, 2), 1e30), [1, 1, 1], False, "mse").on_host()
    >>> data = Dataset(torch.tensor([[2.0]]), torch.ones(1, 1), ("x",), ("t",))
    >>> str(fault_of_model(model, data))
    'row 1: 1e+30*2e+30 is infinite in float32, which unit 0 of layer 1 needs'
    """
    data = data.counted
    if isinstance(model, MLPModel):
        return _fault_of_perceptron(model, data, keys, mend)
    assert isinstance(model, ExpressionModel)
    given = model.graph, model.parameters.detach()[0], data
    if fault := fault_in(*given, derivatives=False):
        return fault
    with torch.no_grad():
        outputs = model.predict(data.inputs)
    return fault_of_loss(model, outputs, data, mend) or fault_in(*given, outputs=False)


def _fault_of_perceptron(model: MLPModel, data: Dataset, keys: Tensor | None, mend: str) -> Fault | None:
    stages = [*model.stages(data.inputs, keys)]
    outputs = stages[-1].outputs
    fault = fault_of_layers(stages, model, data) or fault_of_loss(model, outputs, data, mend)
    if fault:
        return fault
    numbers = model.loss_kind, "reference", model.loss_constants, weights_of(data, outputs.dtype)
    return fault_on_the_way_back(stages, loss(outputs, data.targets, *numbers).sum(), data)


def weights_of(data: Dataset, dtype: torch.dtype) -> Tensor | None:
    """The samples' weights [B] in this type, None where there are none.

    >>> weights_of(Dataset(torch.ones(1, 1), torch.ones(1, 1), ("x",), ("t",)), torch.float32)
    """
    return None if data.weights is None else data.weights.to(dtype)


def name_of(model: Model, place: int) -> str:
    """What the parameter in a column is called: a, or weight_1[4, 2].

    >>> name_of(MLPModel(torch.ones(1, 5), [2, 1, 1], True, "mse"), 1)
    'weight_0[0, 1]'
    """
    sizes = [prod(shape) for shape in model.layout.values()]
    part = int(np.searchsorted(np.cumsum(sizes), place, side="right"))
    name, shape = list(model.layout.items())[part]
    index = np.unravel_index(place - sum(sizes[:part]), shape) if shape else ()
    return f"{name}{[int(i) for i in index]}" if shape else name


def _word(value: Tensor) -> str:
    return word_of(float(value))


def _type(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
