"""An MLP that is trained by one Triton kernel: its layers, and the functions that are written for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...activation.triton_source import functions
from ...common import launch
from ...common.launch import padded
from ...equations.activations import Activation
from ...equations.losses import Loss
from .losses_source import loss_source

LANES = 256  # parameters that are updated at a time
FEW = 4  # inputs, up to which the first layer multiplies no tiles

# product -> the format of its operands, and how they are multiplied in it
FORMATS = {
    "fp64": ("dtype", "ieee"),
    "ieee": ("dtype", "ieee"),
    "tf32": ("dtype", "tf32"),
    "bf16": ("tl.bfloat16", "ieee"),
}

ACTIVATED = """

from packtrain.kernels.descent.triton.layers import first_rows, input_derivative, rounded

"""


@dataclass(frozen=True)
class Layer:
    """Layer `number`, from 1: the offsets of its weight [O, I] and its bias [O] in the parameters."""

    number: int
    I: int
    O: int
    weight: int
    bias: int | None

    @property
    def few(self) -> bool:
        """Whether its inputs are the network's own, and few."""
        return self.number == 1 and self.I <= FEW

    @property
    def tile(self) -> tuple[int, int]:
        """The sides of the tile that holds its weight, [O, I] padded."""
        return padded(self.O), launch.power_of_2(self.I) if self.few else padded(self.I)


def layers_of(widths: Sequence[int], bias: bool) -> list[Layer]:
    """The layers of an MLP whose parameters are weight_0 [O, I], bias_0 [O], weight_1, ...

    >>> from packtrain.kernels.descent.triton.network import layers_of
    >>> layers_of([2, 8, 1], bias=True)[1]
    Layer(number=2, I=8, O=1, weight=24, bias=32)
    """
    layers, at = [], 0
    for number, (features, outputs) in enumerate(pairwise(widths), 1):
        end = at + outputs * features
        layers.append(Layer(number, features, outputs, at, end if bias else None))
        at = end + outputs * bias
    return layers


@dataclass(frozen=True)
class Network:
    """An MLP, its loss, and the format `product` of the operands of its products.

    The numbers at c are the loss's constants, and with `dropout` the rate and the scale of what is kept.
    """

    layers: list[Layer]
    loss: Loss
    product: str
    activation: Activation
    dropout: bool

    @property
    def hidden(self) -> list[Layer]:
        """The layers behind which the activation stands."""
        return self.layers[:-1]

    @property
    def operand(self) -> str:
        """The text of the format of operands."""
        return FORMATS[self.product][0]

    @property
    def how(self) -> str:
        """The arguments PRODUCT and PRECISION, as text."""
        return "{}, '{}'".format(*FORMATS[self.product])

    @property
    def functions(self) -> str:
        """The functions of the loss and of the activation; a ReLU needs none."""
        activation = "" if self.activation.is_relu else ACTIVATED + functions(self.activation)
        return loss_source(self.loss) + activation
