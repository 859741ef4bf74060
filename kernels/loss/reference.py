"""The losses, each with its gradient by the outputs: what a model is trained to make small."""

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def mse_reference(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """L = mean((y - t)^2) over samples and targets: y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T]."""
    error = outputs - targets
    return error.square().mean((1, 2)), error * (2 / error[0].numel())


def sse_reference(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """L = sum((y - t)^2) over samples and targets: y [R, B, T], t [B, T] or [R, B, T] -> [R], [R, B, T]."""
    error = outputs - targets
    return error.square().sum((1, 2)), error * 2


def cross_entropy_reference(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """L = mean(-log softmax(y)[t]) over samples.

    Logits y [R, B, T], class indices t [B, 1] or [R, B, 1] -> [R], [R, B, T].
    """
    log_share = torch.log_softmax(outputs, -1)
    classes = targets.expand(*outputs.shape[:2], 1)
    value = -log_share.gather(-1, classes).mean((1, 2))
    surplus = log_share.exp().scatter_add(-1, classes, -torch.ones_like(outputs[..., :1]))
    return value, surplus / outputs.shape[1]


LOSSES: dict[str, Loss] = {
    "mse": mse_reference,
    "sse": sse_reference,
    "cross_entropy": cross_entropy_reference,
}
