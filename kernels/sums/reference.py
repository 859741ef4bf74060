"""The definition of the second pass of a sum in two passes."""

import torch
from torch import Tensor


def sum_parts_reference(part: Tensor, dtype: torch.dtype, count: int = 1) -> Tensor:
    """Partial sums [R, S, M] -> their sum / count, computed in float64, [R, M] in `dtype`.

    >>> import torch
    >>> from packtrain.kernels.sums.reference import sum_parts_reference
    >>> sum_parts_reference(torch.tensor([[[1.0], [2.0], [3.0]]]), torch.float32, count=3).tolist()
    [[2.0]]
    """
    return (part.double().sum(1) / count).to(dtype)
