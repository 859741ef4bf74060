"""The definition of an activation and of its backward pass."""

from torch import Tensor

from ..elementwise.reference import TORCH, evaluate
from ..equations.activations import Activation, Z
from ..language.expr import walk


def activation_reference(z: Tensor, activation: Activation) -> Tensor:
    """a = f(z), element by element.

    >>> import torch
    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.activation.reference import activation_reference
    >>> activation_reference(torch.tensor([-1.0, 2.0]), activation_of("z^2"))
    tensor([1., 4.])
    """
    evaluate(walk(activation.value), values := {Z: z})
    return values[activation.value]


def activation_backward_reference(z: Tensor, da: Tensor, activation: Activation) -> Tensor:
    """dz = da f'(z), element by element.

    >>> import torch
    >>> from packtrain.kernels.activation import activation_of
    >>> from packtrain.kernels.activation.reference import activation_backward_reference
    >>> activation_backward_reference(torch.tensor([3.0]), torch.tensor([0.5]), activation_of("z^2"))
    tensor([3.])
    """
    evaluate(walk(activation.slope), values := {Z: z})
    return TORCH[activation.product](da, values[activation.slope].expand_as(da))
