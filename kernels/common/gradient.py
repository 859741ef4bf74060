"""The autograd.Function of a loss whose gradient is computed together with its value."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class KnownGradientFunction(torch.autograd.Function):
    """L [R] of a variable [R, ...] whose gradient [R, ...] is known already: backward only scales it."""

    @staticmethod
    def forward(ctx: Any, variable: Tensor, value: Tensor, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`value`, as a tensor of its own."""
        ctx.save_for_backward(gradient)
        return value.view_as(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """slope [R] * gradient [R, ...]."""
        (gradient,) = ctx.saved_tensors
        return slope.view(-1, *[1] * (gradient.dim() - 1)) * gradient, None, None


def with_gradient(variable: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """`value` [R], differentiable by `variable` [R, ...] through `gradient` of the same shape, once.

    >>> import torch
    >>> from packtrain.kernels.common.gradient import with_gradient
    >>> x = torch.tensor([3.0], requires_grad=True)
    >>> with_gradient(x, torch.tensor([9.0]), torch.tensor([6.0])).backward()
    >>> x.grad
    tensor([6.])
    """
    return KnownGradientFunction.apply(variable, value, gradient)  # pyright: ignore[reportReturnType]
