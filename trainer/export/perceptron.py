"""One run's MLP, with the steps from its user's units and back: what every format holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...kernels.equations.activations import Activation
from ...kernels.equations.losses import BINARY, loss_of
from ..folder.trained import SCALES, Trained
from ..models.mlp import MLPModel

PRECISION = {torch.float32: "float32", torch.float64: "float64"}


@dataclass(frozen=True)
class Layer:
    """y = W x + b: weight [O, I], bias [O] or None. `quantized`: its input is cast to uint8 and back."""

    weight: Tensor
    bias: Tensor | None
    quantized: bool

    def to(self, dtype: torch.dtype) -> "Layer":
        """The same with parameters of this type."""
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, weight=self.weight.to(dtype), bias=bias)


@dataclass(frozen=True)
class Perceptron:
    """Layers with an activation between them.

    `scales` are in float64: inputs.mean and inputs.std [V], of standardized inputs, and targets.mean and
    targets.std [T], of standardized targets. `outputs` are the names of targets, or of classes. `product` is
    the format that training rounded the operands of products to; the exported files don't.
    """

    layers: list[Layer]
    activation: Activation
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    loss: str
    product: str = "ieee"
    scales: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def targets(self) -> int:
        """T."""
        return len(self.layers[-1].weight)

    @property
    def dtype(self) -> torch.dtype:
        """Of parameters and results."""
        return self.layers[0].weight.dtype

    @property
    def precision(self) -> str:
        """The name of `dtype` in torch and NumPy."""
        return PRECISION[self.dtype]

    @property
    def of_classes(self) -> bool:
        """Whether its outputs are the logits of classes, of which one is right."""
        return loss_of(self.loss).of_classes

    @property
    def of_probabilities(self) -> bool:
        """Whether each of its outputs is the logit of a probability."""
        return self.loss == BINARY

    def to(self, dtype: torch.dtype) -> "Perceptron":
        """The same with parameters of this type."""
        return replace(self, layers=[layer.to(dtype) for layer in self.layers])

    @property
    def about(self) -> Iterator[str]:
        """Sentences on what the outputs are."""
        if self.of_classes:
            yield "Outputs are logits, one a class: their softmax is the probability of each class."
        if self.of_probabilities:
            yield "Outputs are logits: their sigmoid is the probability of a 1."
        if self.product != "ieee":
            yield f"It was trained with products in {self.product}; here they are in {self.precision}."


def perceptron_of(trained: Trained, run: int) -> Perceptron:
    """The MLP of one run.

    >>> import torch
    >>> from packtrain.trainer.export.perceptron import perceptron_of
    >>> from packtrain.trainer.folder.trained import Trained
    >>> from packtrain.trainer.models.mlp import MLPModel
    >>> model = MLPModel(torch.tensor([[2.0, 1.0], [3.0, 1.0]]), [1, 1], True, "mse")
    >>> trained = Trained(model, {"best_run": 0}, ("x",), ("y",), None, None)
    >>> [(layer.weight.item(), layer.bias.item()) for layer in perceptron_of(trained, 1).layers]
    [(3.0, 1.0)]
    """
    model = trained.model
    assert isinstance(model, MLPModel)
    named = {name: part.clone() for name, part in trained.parameters(run).items()}
    layers = [
        Layer(named[f"weight_{layer}"], named.get(f"bias_{layer}"), layer in model.quantized)
        for layer in range(model.layers)
    ]
    return Perceptron(
        layers,
        model.activation,
        trained.inputs,
        trained.targets,
        model.loss_kind.name,
        model.product,
        scales_of(trained),
    )


def scales_of(trained: Trained) -> dict[str, Tensor]:
    """What inputs and targets were standardized with, by the names of model.safetensors.

    >>> import torch
    >>> from packtrain.trainer.export.perceptron import scales_of
    >>> from packtrain.trainer.folder.trained import Trained
    >>> from packtrain.trainer.models.mlp import MLPModel
    >>> model = MLPModel(torch.ones(1, 2), [1, 1], True, "mse")
    >>> mean, std = torch.tensor([3.0]), torch.tensor([0.5])
    >>> scales_of(Trained(model, {"best_run": 0}, ("x",), ("y",), mean, std))
    {'inputs.mean': tensor([3.]), 'inputs.std': tensor([0.5000])}
    """
    scales = zip(SCALES, (trained.mean, trained.std, trained.target_mean, trained.target_std), strict=True)
    return {name: scale for name, scale in scales if scale is not None}
