"""The public function of the losses."""

import torch
from torch import Tensor

from ..common.gradient import with_gradient
from .reference import LOSSES, Total, total_reference


def loss(outputs: Tensor, targets: Tensor, kind: str, backend: str = "reference") -> Tensor:
    """L(y, t) of each run, differentiable by y once: y [R, B, T], t [B, T] or [R, B, T] -> [R].

    kind: mse, sse or cross_entropy, whose t are class indices [B, 1] or [R, B, 1].
    backend: reference, or triton, where the order of the sum depends on the number of samples alone; torch's
    also depends on the number of runs.

    >>> import torch
    >>> from packtrain.kernels.loss import loss
    >>> loss(torch.tensor([[[3.0], [1.0]]]), torch.zeros(2, 1), "mse").tolist()
    [5.0]
    """
    with torch.no_grad():
        value, gradient = LOSSES[kind](outputs, targets, _total(backend))
    return with_gradient(outputs, value, gradient)


def _total(backend: str) -> Total:
    if backend == "triton":
        from ..sums.kernel import sum_parts  # noqa: PLC0415 (triton is slow to import)

        return lambda terms, count: sum_parts(terms[..., None], terms.dtype, count)[:, 0]
    return total_reference
