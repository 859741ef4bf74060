"""The public functions of linear layers."""

from collections.abc import Callable, Sequence

from torch import Tensor

from ..common.errors import UserError, choose
from .reference import PRODUCTS, Layer, linear_relu_chain_reference


def linear_relu_chain(
    x: Tensor,
    layers: Sequence[Layer],
    relu_last: bool = True,
    product: str = "ieee",
    backend: str = "reference",
) -> Tensor:
    """h <- max(0, h W^T + b) layer after layer from h = x; without `relu_last` the last is linear.

    x [B, I] shared by the runs or [R, B, I]; each layer's weight [R, O, I] and bias [R, O] or None ->
    [R, B, O] in the dtype of the weights. NaN stays NaN. `product` is the format that operands are
    multiplied in, one of PRODUCTS; sums and gradients of weights keep the weights' dtype. `backend` is
    reference (torch), or triton (CUDA), which keeps the values between layers in the format of the product
    too; torch refuses to differentiate twice through it.

    Raises UserError: shapes that don't fit together, an unknown product, triton on a CPU.

    >>> import torch
    >>> from packtrain.kernels.linear_relu import linear_relu_chain
    >>> x, weight = torch.tensor([[1.0, -2.0]]), torch.ones(3, 2, 2)  # one sample, three runs
    >>> linear_relu_chain(x, [(weight, None), (weight, torch.ones(3, 2))], relu_last=False).shape
    torch.Size([3, 1, 2])
    """
    choose(PRODUCTS, product, "product")
    _check_shapes(x, layers)
    return _chain(backend)(x, layers, relu_last, product)


def linear_relu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    product: str = "ieee",
    backend: str = "reference",
) -> Tensor:
    """y = max(0, x W^T + b): the chain of one layer.

    >>> import torch
    >>> from packtrain.kernels.linear_relu import linear_relu
    >>> linear_relu(torch.tensor([[1.0, -2.0]]), torch.tensor([[[1.0, 1.0], [1.0, -1.0]]]))
    tensor([[[0., 3.]]])
    """
    return linear_relu_chain(x, [(weight, bias)], True, product, backend)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    product: str = "ieee",
    backend: str = "reference",
) -> Tensor:
    """y = x W^T + b: the chain of one layer, without its ReLU.

    >>> import torch
    >>> from packtrain.kernels.linear_relu import linear
    >>> linear(torch.tensor([[1.0, -2.0]]), torch.tensor([[[1.0, 1.0], [1.0, -1.0]]]))
    tensor([[[-1.,  3.]]])
    """
    return linear_relu_chain(x, [(weight, bias)], False, product, backend)


def _chain(backend: str) -> Callable[..., Tensor]:
    if backend == "triton":
        from .autograd import chain  # noqa: PLC0415 (triton is slow to import)

        return chain
    return linear_relu_chain_reference


def _check_shapes(x: Tensor, layers: Sequence[Layer]) -> None:
    if x.dim() not in (2, 3) or not layers:
        raise UserError(f"expected x [B, I] or [R, B, I] and a layer at least; got x {list(x.shape)}")
    runs = layers[0][0].shape[0]
    if x.dim() == 3 and x.shape[0] != runs:
        raise UserError(f"x [R, B, I] has {x.shape[0]} runs and weight [R, O, I] has {runs}: make them equal")
    features = x.shape[-1]
    for weight, bias in layers:
        if weight.dim() != 3 or weight.shape[0] != runs or weight.shape[2] != features:
            raise UserError(f"expected a weight [{runs}, O, {features}]; got {list(weight.shape)}")
        if bias is not None and bias.shape != weight.shape[:2]:
            raise UserError(f"expected a bias {list(weight.shape[:2])}; got {list(bias.shape)}")
        features = weight.shape[1]
