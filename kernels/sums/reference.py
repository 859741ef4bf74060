"""The definition of the second pass of a two-pass sum."""

import torch
from torch import Tensor


def sum_parts_reference(part: Tensor, dtype: torch.dtype, count: int = 1) -> Tensor:
    """Partial sums [R, S, M] -> their sum over `count`, [R, M], by float64 in `dtype`."""
    return (part.double().sum(1) / count).to(dtype)
