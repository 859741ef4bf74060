"""The definition of a linear layer, with ReLU or without, for R runs at once."""

import torch
from torch import Tensor


def linear_reference(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, product: torch.dtype | None = None
) -> Tensor:
    """y = x W^T + b: x [B, I] shared or [R, B, I], weight [R, O, I], bias [R, O] -> [R, B, O].

    The operands of the product are rounded to `product` (torch.bfloat16, say); sums, bias, result and
    gradients keep the weight's dtype.
    """
    runs, outputs, features = weight.shape
    left, right = _rounded(x, product), _rounded(weight, product)
    if x.dim() == 2:
        y = left @ right.reshape(runs * outputs, features).T
        y = y.view(-1, runs, outputs).transpose(0, 1)
    else:
        y = torch.bmm(left, right.transpose(1, 2))
    return y if bias is None else y + bias[:, None]


def linear_relu_reference(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, product: torch.dtype | None = None
) -> Tensor:
    """y = max(0, x W^T + b), NaN staying NaN; shapes as in linear_reference."""
    return torch.relu(linear_reference(x, weight, bias, product))


def _rounded(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """x with the digits that `dtype` holds; its gradient is not rounded."""
    return x if dtype is None else x + (x.to(dtype).to(x.dtype) - x).detach()
