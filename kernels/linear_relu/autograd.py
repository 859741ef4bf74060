"""The autograd.Function of a chain of linear layers with ReLU, over the Triton kernels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..common import launch
from ..common.errors import UserError
from .kernel import linear_relu_bwd, linear_relu_fwd
from .reference import PRODUCTS, Layer


class LinearReLUFunction(torch.autograd.Function):
    """y of a chain of layers; dW_l = dz_l^T x_l, db_l = sum dz_l, dz_(l-1) = dz_l W_l, 0 where x_l <= 0."""

    @staticmethod
    def forward(x: Tensor, relu_last: bool, product: str, *layers: Tensor | None) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The outputs of all layers, the last one first: the others are for the backward pass alone."""
        values = [x]
        for number, (weight, bias) in enumerate(_pairs(layers), 1):
            last = number == len(layers) // 2
            dtype = weight.dtype if last else x.dtype
            values.append(linear_relu_fwd(values[-1], weight, bias, relu_last or not last, product, dtype))
        return values[-1], *values[1:-1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Saves the input, the layers' outputs and the weights."""
        x, ctx.relu_last, ctx.product, *layers = inputs
        y, *hidden = output
        ctx.mark_non_differentiable(*hidden)
        ctx.set_materialize_grads(False)  # else autograd would fill zeros for every hidden layer
        ctx.biased = [bias is not None for _, bias in _pairs(layers)]
        ctx.save_for_backward(x, *hidden, y, *(weight for weight, _ in _pairs(layers)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, *_: Any) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Gradients of x and of each weight and bias, from the last layer to the first."""
        count = len(ctx.biased)
        if dy is None:
            return (None,) * (3 + 2 * count)
        values, weights = ctx.saved_tensors[: count + 1], ctx.saved_tensors[count + 1 :]
        gradients: list[Tensor | None] = []
        dz: Tensor = dy
        for layer in reversed(range(count)):
            first, last = layer == 0, layer == count - 1
            dz, sums = linear_relu_bwd(
                values[layer],
                weights[layer],
                values[count] if last and ctx.relu_last else None,
                dz,
                mask_input=not first,
                want_dx=not first or ctx.needs_input_grad[0],
                want_db=ctx.biased[layer],
                product=ctx.product,
            )
            dw, db = sums.tensor_split([weights[layer][0].numel()], 1)
            gradients = [dw.view(weights[layer].shape), db if ctx.biased[layer] else None, *gradients]
        return _of_input(dz, values[0]) if ctx.needs_input_grad[0] else None, None, None, *gradients

    @staticmethod
    def vmap(info: Any, in_dims: Any, *_: Any) -> Any:
        """Raises UserError: the axis of runs takes the place of vmap."""
        raise UserError(
            "linear_relu has an axis of runs, so vmap has nothing to add: "
            "stack the weights into [R, O, I] and the inputs into [R, B, I]"
        )


def _pairs(layers: Sequence[Any]) -> list[tuple[Tensor, Tensor | None]]:
    return list(zip(layers[::2], layers[1::2], strict=True))


def _of_input(dx: Tensor, x: Tensor) -> Tensor:
    """The gradient of x, from dx of each run: their sum where the runs share x."""
    if x.dim() == 3:
        return dx
    return dx.squeeze(0) if len(dx) == 1 else dx.sum(0)


def chain(x: Tensor, layers: Sequence[Layer], relu_last: bool, product: str) -> Tensor:
    """linear_relu_chain through Triton's kernels. Raises UserError on a CPU."""
    launch.check_device(x, "linear_relu's Triton kernel", "backend='reference'")
    flat = [part for layer in layers for part in layer]
    dtype = PRODUCTS[product] or torch.promote_types(x.dtype, layers[0][0].dtype)
    return LinearReLUFunction.apply(x.to(dtype), relu_last, product, *flat)[0]  # pyright: ignore[reportOptionalSubscript]
