"""The three steps of an MLP's backward pass, with numbers, at one sample."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...kernels.activation.reference import activation_backward_reference
from ..models.mlp import MLPModel
from .arrays import Array
from .case import Case
from .forward import Pass, forward, slopes_of, weights
from .samples import gradient, loss_and_slopes
from .units import Units, units


@dataclass(frozen=True)
class Layer:
    """h = W x + b, and a = f(h) where another layer follows: arrays of one sample.

    `x` is what it takes, quantized where it is; `off` is how many of its units have the slope f'(h) = 0.
    """

    number: int
    x: Array
    weight: Array
    bias: Array | None
    h: Array
    a: Array | None
    off: int | None
    quantized: bool


@dataclass(frozen=True)
class LayerBack:
    """The three steps backward at a layer, whose `error` is dL/dh.

    1. `weight` = error^T x and `bias` = error are its gradient, `apart` from what training takes.
    2. `to_before` = error W is dL/d what it takes; with model.quantize_error=add the rounding error is added.
    3. `error_before` = that times f'(h) of the layer before is its error. The first layer has neither.
    """

    number: int
    error: Array
    weight: Array
    bias: Array | None
    apart: float
    to_before: Array | None
    slope_before: Array | None
    error_before: Array | None


@dataclass(frozen=True)
class Perceptron:
    """An MLP at one sample: its layers forward, the loss, the layers backward, and units over all samples.

    `targets` is the class of a classifier, or the sample's targets.
    """

    widths: tuple[int, ...]
    activation: str
    slope: str
    loss_name: str
    loss: float
    names: tuple[str, ...]
    outputs: tuple[float, ...]
    targets: tuple[float, ...]
    error: tuple[float, ...]
    forward: tuple[Layer, ...]
    backward: tuple[LayerBack, ...]
    units: tuple[Units, ...]


@torch.no_grad()
def perceptron(case: Case, sample: int) -> Perceptron:
    """That of an MLP's run at one sample.

    >>> from packtrain.trainer.explain.case import case_of_config
    >>> from packtrain.trainer.explain.perceptron import perceptron
    >>> made = perceptron(case_of_config(["experiment=gaussians", "model.widths=[2,3,2]"]), 0)
    >>> [layer.number for layer in made.backward], max(layer.apart for layer in made.backward) < 1e-12
    ([1, 0], True)
    """
    model, data = case.model, case.data
    assert isinstance(model, MLPModel)
    part = data.part(slice(sample, sample + 1))
    passes = forward(model, part.inputs)
    outputs = passes[-1].h
    loss, error = loss_and_slopes(model, outputs[None], part.targets[None], part.weights)
    with torch.enable_grad():
        taken = model.parts(gradient(model, part)[None])
    return Perceptron(
        model.widths,
        str(model.activation),
        str(model.activation.slope),
        model.loss_kind.name,
        float(loss),
        data.target_names,
        tuple(outputs[0].tolist()),
        tuple(part.targets[0].tolist()),
        tuple(error[0, 0].tolist()),
        tuple(_layer(model, number, own) for number, own in enumerate(passes)),
        tuple(_back(model, passes, error[0], {name: own[0] for name, own in taken.items()})),
        units(model, data),
    )


def _layer(model: MLPModel, number: int, own: Pass) -> Layer:
    weight, bias = weights(model, number)
    last = number == model.layers - 1
    return Layer(
        number,
        Array.of(own.x[0]),
        Array.of(weight),
        None if bias is None else Array.of(bias),
        Array.of(own.h[0]),
        None if last else Array.of(own.a[0]),
        None if last else int((slopes_of(model, own.h[0]) == 0).sum()),
        own.rest is not None,
    )


def _back(model: MLPModel, passes: list[Pass], error: Tensor, taken: dict[str, Tensor]) -> list[LayerBack]:
    """From the last layer to the first; `error` [1, O] is dL/dy, `taken` the gradient of training."""
    steps: list[LayerBack] = []
    for number in reversed(range(model.layers)):
        weight, bias = weights(model, number)
        of_weight = error.T @ passes[number].x
        apart = float((of_weight - taken[f"weight_{number}"]).abs().max())
        to_before = slope = error_before = None
        if number:
            to_before = error @ weight
            rest = passes[number].rest
            if rest is not None and model.quantize_error == "add":
                to_before = to_before + rest
            slope = slopes_of(model, passes[number - 1].h)
            error_before = activation_backward_reference(passes[number - 1].h, to_before, model.activation)
        arrays = [None if part is None else Array.of(part[0]) for part in (to_before, slope, error_before)]
        of_bias = None if bias is None else Array.of(error[0])
        steps.append(LayerBack(number, Array.of(error[0]), Array.of(of_weight), of_bias, apart, *arrays))
        error = error if error_before is None else error_before
    return steps
