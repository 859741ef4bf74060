"""The autograd.Function of quantization, and the public function."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..common.errors import choose
from .reference import quantize_reference

ERRORS = "add", "drop"  # what becomes of the rounding error on the way back


class QuantizeFunction(torch.autograd.Function):
    """y = uint8(x), dL/dx = dL/dy + (x - y): the rounding error is added to the gradient, or dropped.

    The cast drops the fraction, so the error of an x in [0, 256) lies in [0, 1). It saturates: an x below 0
    becomes 0, and its error is x; an x of 256 or more becomes 255, and its error is x - 255. Outside the
    range the gradient thus grows with the distance, and descent pulls x back. NaN stays NaN.

    Where the error is dropped, dL/dx = dL/dy everywhere, outside the range too: the straight-through
    estimator as Bengio, Leonard and Courville (2013) have it. So x can come back from there.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, backend: str, error: str) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """y, and keeps the error for the gradient where it is added."""
        quantized, rest = _forward(backend)(x, error == "add")
        ctx.save_for_backward(rest)
        return quantized

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """dL/dy + error, or dL/dy."""
        (rest,) = ctx.saved_tensors
        return slope if rest is None else slope + rest, None, None


def quantize(x: Tensor, backend: str = "reference", error: str = "add") -> Tensor:
    """y = uint8(x) of any shape, whose gradient is dL/dy + (x - y), or dL/dy; see QuantizeFunction.

    backend: reference, or triton, which computes y and the error in one pass. error: add, or drop.
    Raises UserError for another.

    >>> import torch
    >>> from packtrain.kernels.quantize import quantize
    >>> x = torch.tensor([2.75, -1.0, 300.0], requires_grad=True)
    >>> y = quantize(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([2.0, 0.0, 255.0], [1.75, 0.0, 46.0])
    """
    choose(dict.fromkeys(ERRORS), error, "error")
    return QuantizeFunction.apply(x, backend, error)  # pyright: ignore[reportReturnType]


def _forward(backend: str) -> Callable[[Tensor, bool], tuple[Tensor, Tensor | None]]:
    if backend == "triton":
        from .kernel import quantize_fwd  # noqa: PLC0415 (triton takes a second to import)

        return quantize_fwd
    return _reference


def _reference(x: Tensor, wants_error: bool) -> tuple[Tensor, Tensor | None]:
    quantized, error = quantize_reference(x)
    return quantized, error if wants_error else None
