"""The autograd.Function of the losses, and the public function."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.loss.reference import LOSSES


class LossFunction(torch.autograd.Function):
    """A loss whose gradient is made in the forward pass and only scaled in the backward."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, targets: Tensor, kind: str) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        value, gradient = LOSSES[kind](outputs, targets)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return slope[:, None, None] * gradient, None, None


def loss(outputs: Tensor, targets: Tensor, kind: str) -> Tensor:
    """L(y, t) for every run: y [R, B, T], t as the loss of that `kind` takes it -> [R]."""
    return LossFunction.apply(outputs, targets, kind)  # pyright: ignore[reportReturnType]
