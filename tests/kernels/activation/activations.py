"""Activations by torch.nn and autograd, for tests."""

import torch
from torch import Tensor
from torch.nn import functional as F

BY_TORCH = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "elu": F.elu,
    "softplus": lambda z: F.softplus(z, threshold=torch.inf),  # torch's own is z itself from 20 on
    "leaky_relu": F.leaky_relu,
    "sin": torch.sin,
    "z": lambda z: z,
    "z*sigmoid(1.702*z)": lambda z: z * torch.sigmoid(1.702 * z),
    "1/(1 + z^2)": lambda z: 1 / (1 + z * z),
    "log(z^2 + 0.5)": lambda z: torch.log(z * z + 0.5),
    "sqrt(abs(z))": lambda z: z.abs().sqrt(),  # its slope is infinite at 0, where padded features are
    "atan(z)": torch.atan,
}


def by_autograd(z: Tensor, name: str) -> Tensor:
    """f(z), differentiable by autograd."""
    return BY_TORCH[name](z)
