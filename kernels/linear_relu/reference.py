"""The definition of linear layers, with ReLU or without, for R runs at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

Layer = tuple[Tensor, Tensor | None]  # weight [R, O, I], bias [R, O]

# The dtype that the operands of a product are rounded to, None for their own. To tf32 float32 operands are
# rounded by the GPU's matrix units; the reference leaves that to torch's setting.
PRODUCTS: dict[str, torch.dtype | None] = {
    "ieee": None,
    "tf32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def linear_reference(x: Tensor, weight: Tensor, bias: Tensor | None = None, product: str = "ieee") -> Tensor:
    """y = x W^T + b: x [B, I] shared or [R, B, I], weight [R, O, I], bias [R, O] -> [R, B, O].

    The operands of the product are rounded to the format `product`, one of PRODUCTS; sums, bias,
    result and gradients keep the weight's dtype.

    >>> import torch
    >>> from packtrain.kernels.linear_relu.reference import linear_reference
    >>> linear_reference(torch.tensor([[1.0, -2.0]]), torch.tensor([[[3.0, 1.0]]]), torch.tensor([[0.5]]))
    tensor([[[1.5000]]])
    """
    runs, outputs, features = weight.shape
    left, right = _rounded(x, PRODUCTS[product]), _rounded(weight, PRODUCTS[product])
    if x.dim() == 2:
        y = left @ right.reshape(runs * outputs, features).T
        y = y.view(-1, runs, outputs).transpose(0, 1)
    else:
        y = torch.bmm(left, right.transpose(1, 2))
    return y if bias is None else y + bias[:, None]


def linear_relu_reference(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, product: str = "ieee"
) -> Tensor:
    """y = max(0, x W^T + b), NaN staying NaN; shapes as in linear_reference.

    >>> import torch
    >>> from packtrain.kernels.linear_relu.reference import linear_relu_reference
    >>> linear_relu_reference(torch.tensor([[-1.0], [torch.nan]]), torch.ones(1, 1, 1))
    tensor([[[0.],
             [nan]]])
    """
    return torch.relu(linear_reference(x, weight, bias, product))


def linear_relu_chain_reference(
    x: Tensor, layers: Sequence[Layer], relu_last: bool = True, product: str = "ieee"
) -> Tensor:
    """One layer after another, with ReLU between them and, if `relu_last`, after the last.

    >>> import torch
    >>> from packtrain.kernels.linear_relu.reference import linear_relu_chain_reference
    >>> weight = -torch.ones(1, 1, 1)
    >>> linear_relu_chain_reference(torch.tensor([[-2.0]]), [(weight, None)] * 2, relu_last=False)
    tensor([[[-2.]]])
    """
    for number, (weight, bias) in enumerate(layers, 1):
        layer = linear_relu_reference if relu_last or number < len(layers) else linear_reference
        x = layer(x, weight, bias, product)
    return x


def _rounded(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """x rounded to `dtype`; its gradient is not rounded."""
    return x if dtype is None else x + (x.to(dtype).to(x.dtype) - x).detach()
