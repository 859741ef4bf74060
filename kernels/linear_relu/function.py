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
    [R, B, O] in the dtype of the weights. `product` is the format that operands are multiplied in, one
    of PRODUCTS; sums and gradients of weights keep the weights' dtype. `backend` is reference (torch),
    or triton (CUDA), which keeps the values between layers in the format of the product too. NaN stays
    NaN. Raises UserError on shapes that don't fit together; differentiating twice through Triton is
    refused by torch.
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
    """y = max(0, x W^T + b): the chain of one layer."""
    return linear_relu_chain(x, [(weight, bias)], True, product, backend)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    product: str = "ieee",
    backend: str = "reference",
) -> Tensor:
    """y = x W^T + b: the chain of one layer, without its ReLU."""
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
