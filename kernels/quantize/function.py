"""The autograd.Function of quantization, and the public function."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .reference import quantize_reference


class QuantizeFunction(torch.autograd.Function):
    """y = uint8(x), dL/dx = dL/dy + (x - y): the rounding error is added to the gradient.

    The cast cuts off the fraction, so inside [0, 256) the error lies in [0, 1). It saturates: all
    below 0 becomes 0 with the (negative) error x, all from 256 on becomes 255 with the error x - 255.
    So an x outside the range feels a gradient that grows with its distance and, in descent, pulls it
    back. NaN stays NaN.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, backend: str) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        quantized, error = _forward(backend)(x)
        ctx.save_for_backward(error)
        return quantized

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (error,) = ctx.saved_tensors
        return slope + error, None


def quantize(x: Tensor, backend: str = "reference") -> Tensor:
    """y = uint8(x) of any shape, whose gradient is dL/dy + (x - y); see QuantizeFunction.

    `backend` is reference, or triton: cast and error in one pass.
    """
    return QuantizeFunction.apply(x, backend)  # pyright: ignore[reportReturnType]


def _forward(backend: str) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    if backend == "triton":
        from .kernel import quantize_fwd  # noqa: PLC0415 (triton takes a second to import)

        return quantize_fwd
    return quantize_reference
