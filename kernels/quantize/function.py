"""The autograd.Function of quantization, and the public function."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .reference import quantize_reference


class QuantizeFunction(torch.autograd.Function):
    """y = uint8(x), dL/dx = dL/dy + (x - y): the rounding error is added to the gradient.

    The cast drops the fraction, so the error of an x in [0, 256) lies in [0, 1). It saturates: an x below 0
    becomes 0, and its error is x; an x of 256 or more becomes 255, and its error is x - 255. Outside the
    range the gradient thus grows with the distance, and descent pulls x back. NaN stays NaN.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, backend: str) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """y, and keeps the error for the gradient."""
        quantized, error = _forward(backend)(x)
        ctx.save_for_backward(error)
        return quantized

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """dL/dy + error."""
        (error,) = ctx.saved_tensors
        return slope + error, None


def quantize(x: Tensor, backend: str = "reference") -> Tensor:
    """y = uint8(x) of any shape, whose gradient is dL/dy + (x - y); see QuantizeFunction.

    backend: reference, or triton, which computes y and the error in one pass.

    >>> import torch
    >>> from packtrain.kernels.quantize import quantize
    >>> x = torch.tensor([2.75, -1.0, 300.0], requires_grad=True)
    >>> y = quantize(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([2.0, 0.0, 255.0], [1.75, 0.0, 46.0])
    """
    return QuantizeFunction.apply(x, backend)  # pyright: ignore[reportReturnType]


def _forward(backend: str) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    if backend == "triton":
        from .kernel import quantize_fwd  # noqa: PLC0415 (triton takes a second to import)

        return quantize_fwd
    return quantize_reference
