"""The losses, each with its gradient by the outputs: what a model is trained to make small."""

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor, int], Tensor]  # (terms [R, S], count) -> their sum over count, [R]
Loss = Callable[..., tuple[Tensor, Tensor]]  # (outputs, targets, total) -> value [R], gradient [R, B, T]


def total_reference(terms: Tensor, count: int) -> Tensor:
    """sum(terms) / count of each run: [R, S] -> [R]."""
    return terms.sum(1) / count


def mse_reference(outputs: Tensor, targets: Tensor, total: Total = total_reference) -> tuple[Tensor, Tensor]:
    """L = mean((y - t)^2) over samples and targets: y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T]."""
    error = outputs - targets
    count = error.shape[1] * error.shape[2]
    return total(error.square().flatten(1), count), error * (2 / count)


def sse_reference(outputs: Tensor, targets: Tensor, total: Total = total_reference) -> tuple[Tensor, Tensor]:
    """L = sum((y - t)^2) over samples and targets: y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T]."""
    error = outputs - targets
    return total(error.square().flatten(1), 1), error * 2


def cross_entropy_reference(
    outputs: Tensor, targets: Tensor, total: Total = total_reference
) -> tuple[Tensor, Tensor]:
    """L = mean(-log softmax(y)[t]) over samples.

    Logits y [R, B, T], class indices t [B, 1] or [R, B, 1] -> [R], [R, B, T].
    """
    log_share = torch.log_softmax(outputs, -1)
    classes = targets.expand(*outputs.shape[:2], 1)
    value = -total(log_share.gather(-1, classes).flatten(1), outputs.shape[1])
    surplus = log_share.exp().scatter_add(-1, classes, -torch.ones_like(outputs[..., :1]))
    return value, surplus / outputs.shape[1]


def squared_errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """(y - t)^2, what mse and sse add up: [R, B, T]."""
    return (outputs - targets).square()


def surprise(outputs: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(y)[t], what cross_entropy adds up: [R, B, 1]."""
    classes = targets.expand(*outputs.shape[:2], 1)
    return -torch.log_softmax(outputs, -1).gather(-1, classes)


def terms(loss: str, outputs: int) -> int:
    """How many terms a sample with so many outputs adds to the mean that a loss is; 0 where it is a sum."""
    return {"mse": outputs, "sse": 0, "cross_entropy": 1}[loss]


LOSSES: dict[str, Loss] = {
    "mse": mse_reference,
    "sse": sse_reference,
    "cross_entropy": cross_entropy_reference,
}
TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": squared_errors,
    "sse": squared_errors,
    "cross_entropy": surprise,
}
