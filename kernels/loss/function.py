"""The public function of the losses."""

import torch
from torch import Tensor

from ..common.gradient import with_gradient
from .reference import LOSSES, Total, total_reference


def loss(outputs: Tensor, targets: Tensor, kind: str, backend: str = "reference") -> Tensor:
    """L(y, t) for every run: y [R, B, T], t as the loss of that `kind` takes it -> [R].

    `backend` is reference, or triton: then the order of the sum depends on the samples alone, where
    torch's depends on the number of runs.
    """
    with torch.no_grad():
        value, gradient = LOSSES[kind](outputs, targets, _total(backend))
    return with_gradient(outputs, value, gradient)


def _total(backend: str) -> Total:
    if backend == "triton":
        from ..sums.kernel import sum_parts  # noqa: PLC0415 (triton is slow to import)

        return lambda terms, count: sum_parts(terms[..., None], terms.dtype, count)[:, 0]
    return total_reference
