"""What every model is to the rest: R sets of parameters in one tensor, a loss, and predictions."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from math import prod
from typing import Self

import torch
from torch import Tensor

from ...kernels.equations.losses import Loss, loss_of
from ...kernels.loss import loss_constants
from ...kernels.sums.blocks import Cut, Shares, gathered
from .metrics import metrics_of


class Model(ABC):
    """R runs of one model, whose `parameters` [R, P] are one tensor: what an optimizer updates.

    `layout` maps the names of its parts, in order, to their shapes in one run. `backend` computes the loss,
    its gradient and predictions: reference, triton or numba. `loss_constants` [R, C] are the loss's numbers.
    `seeds` [R] are the runs'. `one_hot`: so are the targets it is trained on. `weighs_errors`: weights
    multiply squared errors, inside the loss, as least squares have it. `adds_up`: a minibatch's gradient is
    the mean, or the sum, of those of its parts.
    """

    def __init__(
        self, parameters: Tensor, layout: Mapping[str, tuple[int, ...]], loss: str | Loss, backend: str
    ) -> None:
        assert parameters.shape[1] == sum(map(prod, layout.values()))
        self.parameters = parameters.contiguous().requires_grad_()
        self.layout = dict(layout)
        self.loss_kind = loss_of(loss)
        self.loss_constants: Tensor | None = None
        self.seeds = parameters.new_zeros(len(parameters), dtype=torch.int64)
        self.backend = backend
        self.one_hot = self.weighs_errors = False
        self.adds_up = True

    @property
    def runs(self) -> int:
        """R."""
        return self.parameters.shape[0]

    def of(self, runs: Tensor) -> Self:
        """The same model with a copy of the parameters of these `runs` alone: indices, or a mask [R]."""
        part = copy(self)
        part.parameters = self.parameters.detach()[runs].requires_grad_()
        part.seeds = self.seeds[runs]
        if self.loss_constants is not None:
            part.loss_constants = self.loss_constants[runs]
        return part

    def on_host(self) -> Self:
        """The same model with a copy of its parameters on the CPU, computed by the reference."""
        part = copy(self)
        part.parameters = self.parameters.detach().clone().cpu().requires_grad_()
        part.seeds, part.backend = self.seeds.cpu(), "reference"
        if self.loss_constants is not None:
            part.loss_constants = self.loss_constants.cpu()
        return part

    def keys(self, steps: Tensor) -> Tensor:
        """What makes the loss of each of `steps` [S] random: [S, R, ...]; [S, 0] where nothing does."""
        return steps.new_empty(len(steps), 0)

    @abstractmethod
    def loss(
        self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None, keys: Tensor | None = None
    ) -> Tensor:
        """L for every run: inputs [B, V] or [R, B, V], targets [B, T] or [R, B, T] -> [R].

        `weights` [B] or [R, B] are the samples'. `keys` [R, ...] are those of a step; without them nothing is
        random.
        """

    def loss_and_gradient(
        self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(L, dL/dp) for every run, [R] and [R, P]; see loss."""
        loss = self.loss(inputs, targets, weights, keys)
        return loss.detach(), torch.autograd.grad(loss.sum(), self.parameters)[0]

    def by_blocks(
        self,
        cut: Cut,
        shares: Shares,
        inputs: Tensor,
        targets: Tensor,
        weights: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """(L, dL/dp) of each block of a minibatch that is `cut`, by itself: [K, R, 1 + P], everywhere.

        Inputs, targets and weights are those of the blocks that `shares` compute here; see loss. A block has
        the same bits wherever it is computed.
        """
        first = cut.rows(shares.own(cut.count)).start

        def block(rows: slice) -> Tensor:
            here = slice(rows.start - first, rows.stop - first)
            part = None if weights is None else weights[..., here]
            drawn = None if keys is None else self.keys_from(keys, rows.start)
            loss, gradient = self.loss_and_gradient(inputs[..., here, :], targets[..., here, :], part, drawn)
            return torch.cat([loss[:, None], gradient], 1)

        like = self.parameters.detach().new_empty(self.runs, 1 + self.parameters.shape[1])
        return gathered(cut, shares, block, like)

    def keys_from(self, keys: Tensor, sample: int) -> Tensor:
        """The keys of a step -> those of its samples from one on: a multiple of the size of blocks."""
        return keys

    @abstractmethod
    def predict(self, inputs: Tensor) -> Tensor:
        """Outputs for inputs [B, V] or [R, B, V] -> [R, B, T]."""

    @abstractmethod
    def jacobian(self, parameters: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(y, dy/dp) at `parameters` [R, P]: inputs [B, V] or [R, B, V] -> [R, B, T], [R, B, T, P]."""

    @property
    @abstractmethod
    def width(self) -> int:
        """The most numbers that one sample of one run becomes on its way: memory is planned by it."""

    @property
    def one_by_one(self) -> bool:
        """Whether runs must be predicted one at a time for a run to have the same bits in any pack."""
        return False

    @property
    def scalars(self) -> dict[str, int]:
        """The parts that are one number a run, each of which gets a curve: name -> column."""
        return {}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what predictions are judged by beside the loss; see `metrics_of`."""
        return metrics_of(self.loss_kind, self.one_hot)

    @property
    def constants(self) -> Tensor:
        """The numbers of each run that compiled code takes, [R, C]: those of the loss."""
        return loss_constants(self.loss_kind, self.parameters.detach(), self.loss_constants).contiguous()

    def named(self) -> dict[str, Tensor]:
        """The parameters by name: views [R, ...]."""
        return self.parts(self.parameters)

    def parts(self, parameters: Tensor) -> dict[str, Tensor]:
        """Any parameters [R, P] by name: views [R, ...]."""
        parts = parameters.split([prod(shape) for shape in self.layout.values()], 1)
        named = zip(self.layout.items(), parts, strict=True)
        return {name: part.view(-1, *shape) for (name, shape), part in named}
