"""An MLP's layers in their own words: what each takes, makes, and how steep its activation is."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.activation.reference import activation_backward_reference, activation_reference
from ...kernels.quantize.reference import quantize_reference
from ..models.mlp import MLPModel


@dataclass(frozen=True)
class Pass:
    """A layer at some samples: what it takes [B, I], the `rest` that quantizing cost, h [B, O], a = f(h)."""

    x: Tensor
    rest: Tensor | None
    h: Tensor
    a: Tensor


@torch.no_grad()
def forward(model: MLPModel, inputs: Tensor) -> list[Pass]:
    """What each layer of a model with R = 1 takes and makes of inputs [B, V]; nothing is dropped.

    >>> from packtrain.trainer.explain.forward import forward
    >>> model = MLPModel(torch.tensor([[1.0, -1.0, 2.0, 3.0]]), [1, 2, 1], bias=False, loss="mse")
    >>> [own.a.tolist() for own in forward(model, torch.tensor([[5.0]]))]
    [[[5.0, 0.0]], [[10.0]]]
    """
    passes: list[Pass] = []
    values = inputs
    for layer in range(model.layers):
        x, rest = quantize_reference(values) if layer in model.quantized else (values, None)
        weight, bias = weights(model, layer)
        h = x @ weight.T + (0 if bias is None else bias)
        values = activation_reference(h, model.activation) if layer < model.layers - 1 else h
        passes.append(Pass(x, rest, h, values))
    return passes


def weights(model: MLPModel, layer: int) -> tuple[Tensor, Tensor | None]:
    """W [O, I] and b [O] of a layer.

    >>> from packtrain.trainer.explain.forward import weights
    >>> model = MLPModel(torch.ones(1, 2), [1, 1, 1], bias=False, loss="mse")
    >>> weights(model, 0)
    (tensor([[1.]]), None)
    """
    named = {name: part[0].detach() for name, part in model.named().items()}
    return named[f"weight_{layer}"], named.get(f"bias_{layer}")


def slopes_of(model: MLPModel, h: Tensor) -> Tensor:
    """f'(h), element by element.

    >>> from packtrain.trainer.explain.forward import slopes_of
    >>> model = MLPModel(torch.ones(1, 2), [1, 1, 1], bias=False, loss="mse")
    >>> slopes_of(model, torch.tensor([[-1.0, 2.0]])).tolist()
    [[0.0, 1.0]]
    """
    return activation_backward_reference(h, torch.ones_like(h), model.activation)
