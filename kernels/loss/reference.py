"""The losses, each with its gradient by the outputs: what a model is trained to make small."""

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor, int], Tensor]  # (terms [R, S], count) -> their sum over count, [R]
Loss = Callable[..., tuple[Tensor, Tensor]]  # (outputs, targets, total) -> value [R], gradient [R, B, T]


def total_reference(terms: Tensor, count: int) -> Tensor:
    """sum(terms) / count of each run: [R, S] -> [R].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import total_reference
    >>> total_reference(torch.tensor([[1.0, 2.0, 3.0]]), 2).tolist()
    [3.0]
    """
    return terms.sum(1) / count


def mse_reference(outputs: Tensor, targets: Tensor, total: Total = total_reference) -> tuple[Tensor, Tensor]:
    """L = mean((y - t)^2) over samples and targets, and dL/dy.

    y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import mse_reference
    >>> value, slope = mse_reference(torch.tensor([[[3.0], [1.0]]]), torch.zeros(2, 1))
    >>> value.tolist(), slope.tolist()
    ([5.0], [[[3.0], [1.0]]])
    """
    error = outputs - targets
    count = error.shape[1] * error.shape[2]
    return total(error.square().flatten(1), count), error * (2 / count)


def sse_reference(outputs: Tensor, targets: Tensor, total: Total = total_reference) -> tuple[Tensor, Tensor]:
    """L = sum((y - t)^2) over samples and targets, and dL/dy.

    y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import sse_reference
    >>> value, slope = sse_reference(torch.tensor([[[3.0], [1.0]]]), torch.zeros(2, 1))
    >>> value.tolist(), slope.tolist()
    ([10.0], [[[6.0], [2.0]]])
    """
    error = outputs - targets
    return total(error.square().flatten(1), 1), error * 2


def cross_entropy_reference(
    outputs: Tensor, targets: Tensor, total: Total = total_reference
) -> tuple[Tensor, Tensor]:
    """L = mean(-log softmax(y)[t]) over samples, and dL/dy = (softmax(y) - [t]) / B.

    Logits y [R, B, T], class indices t [B, 1] or [R, B, 1] -> [R], [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import cross_entropy_reference
    >>> _, slope = cross_entropy_reference(torch.zeros(1, 1, 2), torch.tensor([[0]]))
    >>> slope.tolist()
    [[[-0.5, 0.5]]]
    """
    log_probability = torch.log_softmax(outputs, -1)
    classes = targets.expand(*outputs.shape[:2], 1)
    value = -total(log_probability.gather(-1, classes).flatten(1), outputs.shape[1])
    slope = log_probability.exp().scatter_add(-1, classes, -torch.ones_like(outputs[..., :1]))
    return value, slope / outputs.shape[1]


def squared_errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """(y - t)^2, the terms of mse and sse: y [R, B, T], t [B, T] or [R, B, T] -> [R, B, T].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import squared_errors
    >>> squared_errors(torch.tensor([[[3.0]]]), torch.zeros(1, 1)).tolist()
    [[[9.0]]]
    """
    return (outputs - targets).square()


def negative_log_likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(y)[t], the terms of cross_entropy: y [R, B, T], t [B, 1] or [R, B, 1] -> [R, B, 1].

    >>> import torch
    >>> from packtrain.kernels.loss.reference import negative_log_likelihood
    >>> negative_log_likelihood(torch.zeros(1, 1, 4), torch.tensor([[2]])).exp().tolist()
    [[[4.0]]]
    """
    classes = targets.expand(*outputs.shape[:2], 1)
    return -torch.log_softmax(outputs, -1).gather(-1, classes)


def terms(loss: str, outputs: int) -> int:
    """How many terms each sample adds to a loss that is their mean; 0 for a loss that is a sum.

    >>> from packtrain.kernels.loss import terms
    >>> terms("mse", outputs=3), terms("cross_entropy", outputs=3), terms("sse", outputs=3)
    (3, 1, 0)
    """
    return {"mse": outputs, "sse": 0, "cross_entropy": 1}[loss]


LOSSES: dict[str, Loss] = {
    "mse": mse_reference,
    "sse": sse_reference,
    "cross_entropy": cross_entropy_reference,
}
TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": squared_errors,
    "sse": squared_errors,
    "cross_entropy": negative_log_likelihood,
}
