"""The autograd.Function of dropout, the public function, and what runs know of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..random import Purpose, pair_keys
from .reference import mask_reference


@dataclass(frozen=True)
class Dropout:
    """How R runs drop out: their `seeds`, `rates` and `scales`, 1 / (1 - rate), [R] each."""

    seeds: Tensor
    rates: Tensor
    scales: Tensor

    @classmethod
    def make(cls, seeds: Tensor, rates: Sequence[float], dtype: torch.dtype) -> "Dropout":
        """That of runs with these seeds [R] and rates in [0, 1), for parameters of `dtype`.

        >>> import torch
        >>> from packtrain.kernels.dropout import Dropout
        >>> Dropout.make(torch.tensor([3, 4]), [0.0, 0.75], torch.float32).scales
        tensor([1., 4.])
        """
        exact = torch.tensor(rates, dtype=torch.float64)
        rounded = [part.to(seeds.device, dtype) for part in (exact, 1 / (1 - exact))]
        return cls(seeds, *rounded)

    def of(self, runs: Tensor) -> "Dropout":
        """That of these `runs` alone: indices, or a mask [R].

        >>> import torch
        >>> from packtrain.kernels.dropout import Dropout
        >>> Dropout.make(torch.tensor([3, 4]), [0.0, 0.75], torch.float32).of(torch.tensor([1])).seeds
        tensor([4])
        """
        return Dropout(self.seeds[runs], self.rates[runs], self.scales[runs])

    def keys(self, steps: Tensor, layers: int) -> Tensor:
        """The keys of every step, run and layer: steps [S] -> [S, R, layers, 2].

        >>> import torch
        >>> from packtrain.kernels.dropout import Dropout
        >>> runs = Dropout.make(torch.tensor([3, 4]), [0.0, 0.75], torch.float32)
        >>> runs.keys(torch.arange(5), layers=3).shape
        torch.Size([5, 2, 3, 2])
        """
        return pair_keys(self.seeds, Purpose.DROPOUT, steps[:, None], layers)


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

    `keys` [R, 2] are those of a step and a layer; the sample's and the feature's numbers say the rest. A run
    of rate 0 keeps its bits. Both backends, reference and triton, drop the same. Raises UserError: triton on
    a CPU.

    >>> import torch
    >>> from packtrain.kernels.dropout import Dropout, dropout
    >>> runs = Dropout.make(torch.tensor([3, 4]), [0.0, 0.75], torch.float32)
    >>> keys = runs.keys(torch.tensor([100]), layers=1)[0, :, 0]
    >>> dropout(torch.ones(2, 1, 6), keys, runs).tolist()
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
