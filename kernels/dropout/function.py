"""The autograd.Function of dropout, the public function, and what runs know of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .reference import mask_reference


@dataclass(frozen=True)
class Dropout:
    """How much R runs drop: their `rates`, and `scales`, 1 / (1 - rate), of what they keep, [R] each."""

    rates: Tensor
    scales: Tensor

    @classmethod
    def make(
        cls, rates: Sequence[float], dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> "Dropout":
        """That of runs with these rates in [0, 1), rounded to the parameters' `dtype`.

        >>> import torch
        >>> from packtrain.kernels.dropout import Dropout
        >>> Dropout.make([0.0, 0.75], torch.float32).scales
        tensor([1., 4.])
        """
        exact = torch.tensor(rates, dtype=torch.float64)
        return cls(exact.to(device, dtype), (1 / (1 - exact)).to(device, dtype))

    def of(self, runs: Tensor) -> "Dropout":
        """That of these `runs` alone: indices, or a mask [R].

        >>> import torch
        >>> from packtrain.kernels.dropout import Dropout
        >>> Dropout.make([0.0, 0.75], torch.float32).of(torch.tensor([1])).rates
        tensor([0.7500])
        """
        return Dropout(self.rates[runs], self.scales[runs])


class DropoutFunction(torch.autograd.Function):
    """y = x m, dL/dx = m dL/dy, m the mask of mask_reference, which is computed again on the way back."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, x: Tensor, keys: Tensor, rates: Tensor, scales: Tensor, backend: str
    ) -> Tensor:
        """y, and keeps what the mask is made of."""
        ctx.save_for_backward(keys, rates, scales)
        ctx.backend = backend
        return _times_mask(backend)(x, keys, rates, scales)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """m dL/dy."""
        return _times_mask(ctx.backend)(slope, *ctx.saved_tensors), None, None, None, None


def dropout(x: Tensor, keys: Tensor, dropout: Dropout, backend: str = "reference") -> Tensor:
    """x [R, N, O], each number times 1 / (1 - rate), or dropped with the probability `rate` of its run: 0.

    `keys` [R, 2] are the pair_keys of a step and a layer; the numbers of the sample and the feature say the
    rest. A run of rate 0 keeps its bits. Both backends, reference and triton, drop the same. Raises
    UserError: triton on a CPU.

    >>> import torch
    >>> from packtrain.kernels.dropout import Dropout, dropout
    >>> from packtrain.kernels.random import Purpose, pair_keys
    >>> keys = pair_keys(torch.tensor([3, 4]), Purpose.DROPOUT, torch.tensor(100), streams=1)[:, 0]
    >>> dropout(torch.ones(2, 1, 6), keys, Dropout.make([0.0, 0.75], torch.float32)).tolist()
    [[[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]], [[0.0, 4.0, 0.0, 4.0, 4.0, 4.0]]]
    """
    return DropoutFunction.apply(x, keys, dropout.rates, dropout.scales, backend)  # pyright: ignore[reportReturnType]


def _times_mask(backend: str) -> Callable[..., Tensor]:
    if backend == "triton":
        from .kernel import dropout_fwd  # noqa: PLC0415 (triton takes a second to import)

        return dropout_fwd
    return _reference


def _reference(x: Tensor, keys: Tensor, rates: Tensor, scales: Tensor) -> Tensor:
    return x * mask_reference(keys, rates, scales, *x.shape[1:])
