"""The public function of the losses."""

import torch
from torch import Tensor

from ..common.gradient import with_gradient
from ..equations.losses import Loss, loss_of
from .reference import Total, loss_reference, total_reference


def loss(
    outputs: Tensor,
    targets: Tensor,
    kind: str | Loss,
    backend: str = "reference",
    constants: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """L(y, t) of each run, differentiable by y once: y [R, B, T], t [B, T] or [R, B, T] -> [R].

    kind: a name in NAMES, or an equation; of cross_entropy t are class indices [B, 1] or [R, B, 1].
    constants: the loss's numbers [R, C]; weights: the samples', [B] or [R, B].
    backend: reference, or triton, where the order of the sum depends on the number of samples alone; torch's
    also depends on the number of runs.

    >>> import torch
    >>> from packtrain.kernels.loss import loss
    >>> loss(torch.tensor([[[3.0], [1.0]]]), torch.zeros(2, 1), "mse").tolist()
    [5.0]
    """
    with torch.no_grad():
        value, gradient = loss_reference(loss_of(kind), outputs, targets, constants, weights, _total(backend))
    return with_gradient(outputs, value, gradient)


def _total(backend: str) -> Total:
    if backend == "triton":
        from ..sums.kernel import sum_parts  # noqa: PLC0415 (triton is slow to import)

        return lambda terms, count: sum_parts(terms[..., None], terms.dtype, count)[:, 0]
    return total_reference
