"""The losses as torch.nn.functional has them, or as books write them: what ours are compared with."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from packtrain.kernels.loss import NAMES

LOSSES = NAMES
SMOOTH_LOSSES = [name for name in NAMES if name not in ("mae", "quantile")]
DELTA, Q = 1.0, 0.5  # the constants' values where none are given

TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": lambda y, t: functional.mse_loss(y, t, reduction="none"),
    "sse": lambda y, t: functional.mse_loss(y, t, reduction="none"),
    "mae": lambda y, t: functional.l1_loss(y, t, reduction="none"),
    "huber": lambda y, t: functional.huber_loss(y, t, reduction="none", delta=DELTA),
    "log_cosh": lambda y, t: functional.softplus(2 * (y - t)) - (y - t) - math.log(2),
    "soft_l1": lambda y, t: DELTA**2 * ((1 + ((y - t) / DELTA) ** 2).sqrt() - 1),
    "cauchy": lambda y, t: DELTA**2 / 2 * (((y - t) / DELTA) ** 2).log1p(),
    "arctan": lambda y, t: DELTA**2 / 2 * (((y - t) / DELTA) ** 2).atan(),
    "quantile": lambda y, t: torch.where(t > y, Q * (t - y), (Q - 1) * (t - y)),
    "poisson": lambda y, t: functional.poisson_nll_loss(y, t, reduction="none"),
    "binary_cross_entropy": lambda y, t: functional.binary_cross_entropy_with_logits(y, t, reduction="none"),
}


def terms(outputs: Tensor, targets: Tensor, loss: str) -> Tensor:
    """What the loss adds up: outputs [R, B, T], targets [B, T] or [R, B, T] -> [R, B, T], or [R, B, 1]."""
    if loss == "cross_entropy":
        classes = targets.expand(*outputs.shape[:2], 1)[..., 0]
        return functional.cross_entropy(outputs.transpose(1, 2), classes, reduction="none")[..., None]
    return TERMS[loss](outputs, targets.expand_as(outputs))


def torch_loss(outputs: Tensor, targets: Tensor, loss: str) -> Tensor:
    """The loss of each run: [R]."""
    parts = terms(outputs, targets, loss)
    return parts.sum((1, 2)) if loss == "sse" else parts.mean((1, 2))


def targets_like(outputs: Tensor, loss: str, seed: int = 1) -> Tensor:
    """Targets that the loss takes, of outputs [..., T]: numbers [..., T], or classes [..., 1]."""
    generator = torch.Generator().manual_seed(seed)
    if loss == "cross_entropy":
        return torch.randint(outputs.shape[-1], (*outputs.shape[:-1], 1), generator=generator)
    return 1 + torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
