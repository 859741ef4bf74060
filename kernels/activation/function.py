"""The autograd.Function of an activation, and the public function."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..equations.activations import Activation, activation_of
from .reference import activation_backward_reference, activation_reference


class ActivationFunction(torch.autograd.Function):
    """a = f(z), dz = da f'(z): z alone is kept. Torch's transforms, as vmap, go through the reference."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, kind: Activation, backend: str) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """f(z)."""
        if backend == "triton":
            from .kernel import activation_fwd  # noqa: PLC0415 (triton takes a second to import)

            return activation_fwd(z, kind)
        return activation_reference(z, kind).view_as(z)  # autograd refuses z itself

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Saves z."""
        z, ctx.kind, ctx.backend = inputs
        ctx.save_for_backward(z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, da: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """da f'(z)."""
        (z,) = ctx.saved_tensors
        if ctx.backend == "triton":
            from .kernel import activation_bwd  # noqa: PLC0415 (triton takes a second to import)

            return activation_bwd(z, da, ctx.kind), None, None
        return activation_backward_reference(z, da, ctx.kind), None, None


def activation(z: Tensor, kind: str | Activation, backend: str = "reference") -> Tensor:
    """a = f(z) of any shape, in float32 or float64, differentiable by z once; NaN stays NaN.

    kind: a name in ACTIVATIONS, or an equation of z. backend: reference, or triton, in a pass each way.
    Raises UserError where it is no such name or equation.

    >>> import torch
    >>> from packtrain.kernels.activation.function import activation
    >>> z = torch.tensor([-1.0, 2.0], requires_grad=True)
    >>> activation(z, "leaky_relu").sum().backward()
    >>> z.grad
    tensor([0.0100, 1.0000])
    """
    return ActivationFunction.apply(z, activation_of(kind), backend)  # pyright: ignore[reportReturnType]
